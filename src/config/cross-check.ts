import { acmeErrors } from './acme-names.ts';
import { adminWarnings } from './admin-check.ts';
import { authErrors, authWarnings } from './auth-check.ts';
import { findCollisions } from './inversion.ts';
import type { KeyFinding, KeyPath } from './key-path.ts';
import { nearest } from './nearest.ts';
import { plainErrors, plainWarnings } from './plain-check.ts';
import { proxyErrors, proxyWarnings } from './proxy-check.ts';
import { replicationErrors, replicationWarnings } from './replication-check.ts';
import type { Config, RouteConfig } from './schema.ts';
import { upstreamErrors, upstreamWarnings } from './upstream-check.ts';

export interface CrossCheck {
  errors: KeyFinding[];
  /** Each with a remedy. */
  warnings: KeyFinding[];
}

/** Checks that need more than one key: names that must exist, routes that collide, settings that contradict each other. Pure. */
export function crossCheck(config: Config): CrossCheck {
  const upstreams = Object.entries(config.upstreams);
  return {
    errors: [
      unknownUpstreams(config),
      config.routes.flatMap((route, index) => routeErrors(config, route, index)),
      upstreams.flatMap(([name, upstream]) => upstreamErrors(name, upstream)),
      findCollisions(config.routes),
      authErrors(config),
      plainErrors(config),
      proxyErrors(config),
      peerErrors(config),
      acmeErrors(config),
      replicationErrors(config),
    ].flat(),
    warnings: [
      adminWarnings(config),
      authWarnings(config),
      plainWarnings(config),
      proxyWarnings(config),
      replicationWarnings(config),
      upstreams.flatMap(([name, upstream]) => upstreamWarnings(config, name, upstream)),
      config.routes.flatMap((route, index) => [pushWarnings(route, index), openWarnings(config, route, index)].flat()),
    ].flat(),
  };
}

function routeErrors(config: Config, route: RouteConfig, index: number): KeyFinding[] {
  const findings: KeyFinding[] = [];
  const twin = config.routes.findIndex((other) => other.prefix === route.prefix && other.registry === route.registry);
  if (twin < index)
    findings.push({
      path: ['routes', index, 'prefix'],
      message: `routes[${twin}] already has the prefix "${route.prefix}"`,
    });
  for (const [position, entry] of route.pull.entries()) {
    const first = route.pull.findIndex((other) => other.upstream === entry.upstream);
    if (first < position)
      findings.push({
        path: ['routes', index, 'pull', position, 'upstream'],
        message: `"${entry.upstream}" is listed twice; each upstream is asked once`,
      });
  }
  if (route.registry !== undefined && [config.hostname, ...config.aliases].includes(route.registry)) {
    findings.push({
      path: ['routes', index, 'registry'],
      message: `"${route.registry}" is the edge's own name; leave registry out for its own repositories`,
    });
  }
  return findings;
}

/** Edges recognize each other only by the shared key. */
function peerErrors({ peers, keyFile }: Config): KeyFinding | [] {
  if (peers.length === 0 || keyFile !== undefined) return [];
  return {
    path: ['peers'],
    message: 'peers need a shared keyFile: without it the edges of a site cannot recognize each other',
    remedy: 'head -c 48 /dev/urandom | base64 > edge.key; copy the file to every edge, and set keyFile',
  };
}

function pushWarnings(route: RouteConfig, index: number): KeyFinding | [] {
  const { push, prefix, pull } = route;
  if (push === undefined || pull.some((entry) => entry.upstream === push)) return [];
  return {
    path: ['routes', index, 'push'],
    message: `pushes go to "${prefix}" on ${push}, but this route does not pull from ${push}`,
    remedy: `add ${push} to pull`,
  };
}

/** Rule 3 (ARCHITECTURE.md) cannot hold without authentication, so the operator is warned where it does not. */
function openWarnings(config: Config, route: RouteConfig, index: number): KeyFinding[] {
  if (config.auth.mode !== 'open') return [];
  const credentialsOf = (name: string) => config.upstreams[name]?.credentials;
  const asking = [route.push ?? [], ...route.pull.map((entry) => entry.upstream)]
    .flat()
    .find((name) => credentialsOf(name) === 'forward');
  if (asking === undefined) return [];
  return route.pull.flatMap(({ upstream }, position) => {
    if (typeof credentialsOf(upstream) !== 'object') return [];
    return {
      path: ['routes', index, 'pull', position],
      message: `while ${asking} is down, every client can pull every image of this route from ${upstream}: auth.mode open checks no user, and the edge uses its own credentials there`,
      remedy: 'set auth.mode, keep only public images behind this route, or restrict access to the edge',
    };
  });
}

/** References to upstreams that do not exist. */
export function unknownUpstreams(config: Config): KeyFinding[] {
  const names = Object.keys(config.upstreams);
  const uses: { path: KeyPath; name: string | undefined }[] = [
    { path: ['passthrough'], name: config.passthrough },
    ...config.routes.flatMap((route, index) => [
      { path: ['routes', index, 'push'], name: route.push },
      ...route.pull.map((entry, position) => ({
        path: ['routes', index, 'pull', position, 'upstream'],
        name: entry.upstream,
      })),
    ]),
  ];
  return uses.flatMap(({ path, name }) =>
    name === undefined || names.includes(name) ? [] : [{ path, message: messageOf(name, names) }],
  );
}

function messageOf(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  const hint = near === undefined ? '' : `; did you mean "${near}"?`;
  return `no upstream is called "${name}"; there are ${names.join(', ') || 'none'}${hint}`;
}
