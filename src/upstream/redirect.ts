import { UpstreamError } from './upstream-error.ts';

/**
 * The target of a redirect that may be followed: on the upstream's own host or an allowed one, and never from https to
 * http.
 * @param hosts allowed names, or suffixes that begin with a dot
 * @throws UpstreamError redirect-host, or malformed
 */
export function redirectTarget(location: string | undefined, from: URL, hosts: readonly string[]): URL {
  const to = location === undefined ? null : URL.parse(location, from);
  if (!to) throw new UpstreamError('malformed', 'a redirect has no usable Location');
  if (!/^https?:$/.test(to.protocol))
    throw new UpstreamError('redirect-host', `a redirect to ${to.protocol} is not followed`);
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new UpstreamError('redirect-host', `a redirect from https to http://${to.host} is not followed`);
  }
  const allowed =
    sameHost(to.hostname, from.hostname) ||
    hosts.some(
      (host) => sameHost(to.hostname, host) || (host.startsWith('.') && to.hostname.endsWith(host.toLowerCase())),
    );
  if (!allowed) throw new UpstreamError('redirect-host', `redirects.hosts does not name ${to.hostname}`);
  return to;
}

/** Whether two host names are equal, in any case; IPv6 addresses with or without brackets. */
export function sameHost(one: string, other: string): boolean {
  return plain(one) === plain(other);
}

function plain(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}
