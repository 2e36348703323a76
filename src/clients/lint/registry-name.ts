import { isIP } from 'node:net';
import type { LintContext } from './rule.ts';

/** Registries of the internet that are asked often. */
const PUBLIC = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.k8s.io',
  'k8s.gcr.io',
  'gcr.io',
  'quay.io',
  'ghcr.io',
  'mcr.microsoft.com',
  'public.ecr.aws',
  'nvcr.io',
  'registry.gitlab.com',
]);

export function isPublic(host: string): boolean {
  return PUBLIC.has(host.toLowerCase());
}

/** `host[:port]` of a URL or of a name with a path, in lower case and without user. */
export function hostOf(text: string): string {
  const rest = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  return (rest.split(/[/?#]/, 1)[0] ?? '').replace(/^.*@/, '').toLowerCase();
}

/** What follows the host, without its last slash. */
export function pathOf(text: string): string {
  const rest = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  const slash = rest.indexOf('/');
  return slash < 0 ? '' : rest.slice(slash).replace(/\/+$/, '');
}

/** The host of an image's name: `docker.io` for `alpine` and `team/app`. */
export function registryOfImage(image: string): string {
  const first = image.split('/', 1)[0] ?? '';
  return image.includes('/') && /[.:]|^localhost$/.test(first) ? first.toLowerCase() : 'docker.io';
}

/** Whether a host is the edge. A port 443 counts as none. */
export function isEdge(host: string, { edges }: LintContext): boolean {
  const plain = withoutPort443(host);
  return edges.some((edge) => withoutPort443(edge) === plain);
}

/** Whether a host is the edge, or may be: an edge can listen on each node for the programs of that node. */
export function mayBeEdge(host: string, context: LintContext): boolean {
  return isEdge(host, context) || isLoopback(host);
}

/** Whether the edge stands in front of a registry: an upstream, or one of the internet. */
export function isBehindEdge(host: string, { upstreamHosts }: LintContext): boolean {
  return isPublic(host) || upstreamHosts.includes(host);
}

function withoutPort443(host: string): string {
  return host.toLowerCase().replace(/:443$/, '');
}

/** Nothing leaves the machine. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'));
}

/** The registry of a folder in certs.d: containerd also writes `host_5000_` for `host:5000`. */
export function registryOfFolder(path: string): string {
  return (path.split('/').at(-2) ?? '').replace(/_(\d+)_$/, ':$1').toLowerCase();
}

/** A text of a file for a message: without a user, short, and in quotes. */
export function quoted(text: string): string {
  const safe = text.replace(/^([a-z][a-z0-9+.-]*:\/+)?.*@/i, '$1***@');
  return JSON.stringify(safe.length > 120 ? `${safe.slice(0, 117)}...` : safe);
}
