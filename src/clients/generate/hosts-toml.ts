import { stringify } from 'smol-toml';
import { type ClientSite, commonPath, type Mirror } from '../client-site.ts';
import { certificateFile, fallbackRisk, type GeneratedFile, headerOf } from './generated.ts';

/** Time after which containerd goes to the next host, where its version has the key. */
const DIAL_TIMEOUT = '5s';
/** Registries whose API is on another host than the one in the names of images. */
const API_HOSTS: Record<string, string> = { 'docker.io': 'registry-1.docker.io' };

/** Without this table, containerd 1.6 logs an error at each pull, and takes only the certificates of the folder. */
const NO_HOSTS = { host: {} };

const PULL = ['pull', 'resolve'];
const PUSH = ['pull', 'resolve', 'push'];

export interface HostsOptions {
  kind: string;
  /** Absolute path of the folder that `config_path` names. */
  folder: string;
  /** Whether this containerd knows `dial_timeout`. */
  dialTimeout: boolean;
}

/**
 * The tree of containerd's `config_path`: a folder for each registry, with `hosts.toml` and certificates.
 * Keys: containerd's docs/hosts.md (https://github.com/containerd/containerd/blob/main/docs/hosts.md, 2026-11-30).
 */
export function hostsTree(site: ClientSite, options: HostsOptions): GeneratedFile[] {
  return [
    ...registryFolder(site, options, site.host, edgeHosts(site, options)),
    ...site.mirrors.flatMap((mirror) =>
      registryFolder(site, options, mirror.registry, mirrorHosts(site, options, mirror)),
    ),
  ];
}

/** The risk of the fallback as second host, or why it cannot be one. */
export function hostsNotes(site: ClientSite): string[] {
  const { fallback } = site;
  if (!fallback) return [];
  if (commonPath(fallback) !== undefined) return [fallbackRisk(site, 'containerd').join(' ')];
  const places = fallback.places.map(({ prefix, at }) => `${prefix || 'all'} as ${at}`).join(', ');
  return [
    `${fallback.host} is no second host here: it keeps images under other names (${places}), and containerd can only put a path before a name.`,
  ];
}

function registryFolder(
  { host, ca, fallback }: ClientSite,
  { kind, folder }: HostsOptions,
  registry: string,
  { comment, hosts }: { comment: string[]; hosts: object },
): GeneratedFile[] {
  const at = `${folder}/${registry}`;
  const header = [headerOf(kind, host), ...comment].map((line) => `# ${line}\n`).join('');
  const asksFallback = registry === host && fallback !== undefined && commonPath(fallback) !== undefined;
  return [
    { path: `${at}/hosts.toml`, content: `${header}\n${stringify(hosts)}` },
    ...certificateFile(kind, host, `${at}/ca.crt`, ca),
    ...certificateFile(kind, host, `${at}/fallback-ca.crt`, asksFallback ? fallback.ca : undefined),
  ];
}

function edgeHosts(site: ClientSite, { dialTimeout }: HostsOptions): { comment: string[]; hosts: object } {
  const server = { server: `https://${site.host}`, capabilities: PUSH, ...certificate(site.ca), ...dial(dialTimeout) };
  const path = site.fallback && commonPath(site.fallback);
  if (!site.fallback || path === undefined) return { comment: [], hosts: { ...server, ...NO_HOSTS } };
  const { server: edge, ...settings } = server;
  const fallback = {
    capabilities: PULL,
    ...(path === '' ? {} : { override_path: true }),
    ...certificate(site.fallback.ca, 'fallback-ca.crt'),
    ...dial(dialTimeout),
  };
  const url = `https://${site.fallback.host}${path === '' ? '' : `/v2/${path.replace(/\/$/, '')}`}`;
  return {
    comment: fallbackRisk(site, 'containerd'),
    hosts: { ...server, host: { [edge]: settings, [url]: fallback } },
  };
}

/** Without a fallback the registry itself is never asked: `server` is the edge, too. */
function mirrorHosts(
  site: ClientSite,
  { dialTimeout }: HostsOptions,
  { registry, prefix }: Mirror,
): { comment: string[]; hosts: object } {
  const url = `https://${site.host}${prefix === '' ? '' : `/v2/${prefix.replace(/\/$/, '')}`}`;
  const settings = {
    capabilities: PULL,
    ...(prefix === '' ? {} : { override_path: true }),
    ...certificate(site.ca),
    ...dial(dialTimeout),
  };
  if (!site.fallback)
    return {
      comment: [`Images of ${registry} come through ${site.host} only. ${registry} itself is never asked.`],
      hosts: { server: url, ...settings, ...NO_HOSTS },
    };
  return {
    comment: [
      `${registry} itself is asked when ${site.host} does not answer, and also when it answers 404 or refuses.`,
    ],
    hosts: { server: `https://${API_HOSTS[registry] ?? registry}`, host: { [url]: settings } },
  };
}

function certificate(ca: string | undefined, file = 'ca.crt'): object {
  return ca === undefined ? {} : { ca: file };
}

function dial(isKnown: boolean): object {
  return isKnown ? { dial_timeout: DIAL_TIMEOUT } : {};
}
