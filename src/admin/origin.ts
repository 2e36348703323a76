import type { IncomingHttpHeaders } from 'node:http';

/** Whether a page of this listener makes the request. Browsers send one of these headers with every request that can change something. */
export function isSameOrigin({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined || host === undefined) return false;
  return URL.parse(origin)?.host === host.toLowerCase();
}

/** Whether the browser came by https, through a proxy with TLS. A false claim only makes the client's own cookie useless. */
export function isHttps({ origin, 'x-forwarded-proto': proto }: IncomingHttpHeaders): boolean {
  return origin?.startsWith('https:') === true || proto === 'https';
}
