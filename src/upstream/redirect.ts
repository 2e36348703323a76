import { isListed, sameHost } from './allowed-hosts.ts';
import { UpstreamError } from './upstream-error.ts';

/**
 * The target of a redirect that may be followed: on the upstream's own host or an allowed one, and never from https to
 * http. The request carries no credentials, so any port of the own host will do.
 * @param own the upstream's URL
 * @param hosts the operator's list; see `isListed`
 * @throws UpstreamError redirect-host, or malformed
 */
export function redirectTarget(location: string | undefined, from: URL, own: URL, hosts: readonly string[]): URL {
  const to = location === undefined ? null : URL.parse(location, from);
  if (!to) throw new UpstreamError('malformed', 'a redirect has no usable Location');
  if (!/^https?:$/.test(to.protocol))
    throw new UpstreamError('redirect-host', `a redirect to ${to.protocol} is not followed`);
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new UpstreamError('redirect-host', `a redirect from https to http://${to.host} is not followed`);
  }
  if (!sameHost(to.hostname, own.hostname) && !isListed(to, hosts))
    throw new UpstreamError('redirect-host', `redirects.hosts does not name ${to.host}`);
  return to;
}
