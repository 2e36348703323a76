import { createHash } from 'node:crypto';

/**
 * What tells a registry from every other one, whatever a configuration calls it: the same on every node that reaches it by the same URLs.
 * 22 characters of base64url.
 */
export function registryIdentity(urls: readonly string[]): string {
  const normal = urls.map((url) => new URL(url).href.replace(/\/+$/, '')).sort();
  return createHash('sha256').update(JSON.stringify(normal)).digest('base64url').slice(0, 22);
}
