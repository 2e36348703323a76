import { follow } from '../model/passage.ts';
import { matchPattern } from '../model/regex.ts';
import type { Location, Server, Site } from '../model/site.ts';
import { isWildcardOf } from '../model/variables.ts';
import { type Directive, everyDirective } from '../syntax/directive.ts';

const REGISTRY_WORD =
  /registry|docker|harbor|gcr|ecr\b|quay|artifact|nexus|(^|[^a-z])(hub|cr|oci)([^a-z]|$)|containers?\b/i;

/** Servers by what they do. */
export interface Sorted {
  /** They serve the registry API. */
  registries: Server[];
  /** They only redirect to https. */
  redirecting: Server[];
  /** Directives that redirect. */
  redirects: Directive[];
}

/** Which server the user has chosen. */
export interface Choice {
  name: string;
  port?: string | undefined;
}

/** Finds the servers of the registry API. @param choice only servers of this name and port */
export function sortServers(site: Site, choice?: Choice): Sorted {
  const passages = site.servers.map((server) => ({
    server,
    passage: follow(site, server, { ...trialOf(server), method: 'GET' }),
  }));
  // What another server asks on this machine serves no clients.
  const inner = new Set(
    passages.flatMap(({ server, passage }) =>
      [...passage.used].filter((one) => one.name === 'server' && one !== server.directive),
    ),
  );
  const serving = passages.filter(({ server, passage }) => {
    if (inner.has(server.directive)) return false;
    return passage.kind === 'proxy' || (passage.kind === 'unknown' && mentionsApi(server)) || hasProxiedApi(server);
  });
  const toHttps = passages.filter(
    ({ passage }) =>
      passage.kind === 'answer' && [301, 302, 307, 308].includes(passage.status) && passage.text.startsWith('https:'),
  );
  const redirecting = toHttps.map(({ server }) => server);
  const redirects = toHttps.flatMap(({ passage }) => [...passage.used]);
  const servers = serving.map(({ server }) => server);
  if (choice) return { registries: servers.filter((one) => isChosen(one, choice)), redirecting, redirects };
  const explicit = servers.filter((one) => mentionsApi(one) || mentionsRegistry(one));
  return { registries: explicit.length > 0 ? explicit : servers, redirecting, redirects };
}

function trialOf(server: Server) {
  const listen = server.listens.find(({ isTls }) => isTls) ?? server.listens[0];
  return {
    path: '/v2/breakwater/trial/manifests/latest',
    host: literalNames(server)[0] ?? 'localhost',
    port: listen?.port ?? '443',
    isTls: listen?.isTls ?? true,
  };
}

function isChosen(server: Server, { name, port }: Choice): boolean {
  const isNamed = server.names.some((one) => one === name || isWildcardOf(one, name) || isPatternOf(one, name));
  return isNamed && (port === undefined || server.listens.some((listen) => listen.port === port));
}

function isPatternOf(pattern: string, name: string): boolean {
  return pattern.startsWith('~') && matchPattern(pattern.slice(1), name, true)?.found === true;
}

/** Names without wildcards and patterns. */
export function literalNames({ names }: Server): string[] {
  return names
    .filter((name) => /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(name) && name.includes('.'))
    .map((name) => name.toLowerCase());
}

function mentionsApi(server: Server): boolean {
  const hasApi = ({ path, locations }: Location): boolean => isApiPath(path) || locations.some(hasApi);
  return (
    server.locations.some(hasApi) ||
    everyDirective(server.directive.block ?? []).some(
      ({ name, args }) => name === 'rewrite' && isApiPath(args[0] ?? ''),
    )
  );
}

function hasProxiedApi(server: Server): boolean {
  return mentionsApi(server) && everyDirective(server.directive.block ?? []).some(({ name }) => name === 'proxy_pass');
}

function isApiPath(path: string): boolean {
  return /(^|[^a-z0-9])v(2|\[12\]|\\d)([^0-9.]|$)|v1\|v2/.test(path);
}

function mentionsRegistry(server: Server): boolean {
  const passes = everyDirective(server.directive.block ?? []).filter(({ name }) => name === 'proxy_pass');
  return [...server.names, ...passes.map(({ args }) => args[0] ?? '')].some((text) => REGISTRY_WORD.test(text));
}
