import { isIP } from 'node:net';
import type { UpstreamConfig } from '../config/schema.ts';

/**
 * Token services of public registries that are on another host, by the registry's host. Other public registries (ghcr.io, quay.io, gcr.io,
 * pkg.dev, public.ecr.aws, azurecr.io and more) have theirs on their own host.
 */
const WELL_KNOWN: [registry: RegExp, tokenService: RegExp][] = [
  [/^((registry-1|index|registry\.hub)\.)?docker\.(io|com)$/, /^auth\.docker\.io$/],
  [/^registry\.gitlab\.com$/, /^gitlab\.com$/],
  [/^docker\.elastic\.co$/, /^docker-auth\.elastic\.co$/],
  [/^registry\.digitalocean\.com$/, /^api\.digitalocean\.com$/],
  // A name below `oss-…` would be a bucket of anybody.
  [
    /(^registry[a-z-]*\.[a-z0-9-]+|\.cr)\.aliyuncs\.com$/,
    /^dockerauth[a-z-]*\.(cn|ap|us|eu|me|na)-[a-z0-9-]+\.aliyuncs\.com$/,
  ],
];

/** Where the token service of an upstream may be. */
export interface Reach {
  /** The URLs of the upstream. */
  own: readonly URL[];
  /** The operator's list. */
  hosts: readonly string[];
}

/** One list for all credentials of an upstream: its token service is the same, whoever asks. */
export function reachOf({ urls, realmHosts, credentials, probe, replication }: UpstreamConfig): Reach {
  const accounts = [credentials, probe.credentials, replication.credentials];
  const named = accounts.flatMap((one) => (typeof one === 'object' ? one.realmHosts : []));
  return { own: urls.map((url) => new URL(url)), hosts: [...new Set([...realmHosts, ...named])] };
}

/**
 * Whether credentials may go to a token service: on the upstream's own origin, on the https default port of its host, at the well-known place
 * of a public registry, or in the operator's list. A token that is fetched without credentials counts too, because it is sent to the upstream.
 */
export function mayGetCredentials(realm: URL, { own, hosts }: Reach): boolean {
  return own.some((url) => isOwn(realm, url) || isWellKnown(realm, url)) || isListed(realm, hosts);
}

function isOwn(realm: URL, url: URL): boolean {
  if (realm.origin === url.origin) return true;
  return realm.protocol === 'https:' && realm.port === '' && sameHost(realm.hostname, url.hostname);
}

function isWellKnown(realm: URL, url: URL): boolean {
  if (realm.protocol !== 'https:' || realm.port !== '') return false;
  return WELL_KNOWN.some(([registry, service]) => registry.test(url.hostname) && service.test(realm.hostname));
}

/** Whether the operator's list names the host of a URL: by HOST, HOST:PORT, or for subdomains by a suffix that begins with a dot. */
export function isListed(url: URL, list: readonly string[]): boolean {
  return list.some((entry) => {
    const { host, port } = splitPort(entry);
    if (port !== undefined && port !== (url.port || defaultPort(url))) return false;
    // A suffix of an address would be no name's.
    if (host.startsWith('.')) return url.hostname.endsWith(host) && isIP(plainHost(url.hostname)) === 0;
    return sameHost(host, url.hostname);
  });
}

/** Whether two host names are equal, in any case; IPv6 addresses with or without brackets. */
export function sameHost(one: string, other: string): boolean {
  return plainHost(one) === plainHost(other);
}

/** The addresses that a list names, in the form of a URL's host without brackets. */
export function namedAddresses(list: readonly string[]): Set<string> {
  return new Set(list.map((entry) => plainHost(splitPort(entry).host)).filter((host) => isIP(host) !== 0));
}

export function plainHost(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}

/** An IPv6 address with a port is in brackets. */
function splitPort(entry: string): { host: string; port: string | undefined } {
  const [, host = entry, port] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  return { host: host.toLowerCase(), port };
}

function defaultPort({ protocol }: URL): string {
  return protocol === 'https:' ? '443' : '80';
}
