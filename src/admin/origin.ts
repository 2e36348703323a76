import type { IncomingHttpHeaders } from 'node:http';

/** Whether a page of this listener makes the request. Every browser says so of a request that can change something; who does not is none. */
export function isSameOrigin({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined || host === undefined) return false;
  return URL.parse(origin)?.host === host.toLowerCase();
}

/** Whether the browser came by https, which only a proxy before this listener can offer. A false claim hurts only the one who makes it. */
export function isHttps({ origin, 'x-forwarded-proto': proto }: IncomingHttpHeaders): boolean {
  return origin?.startsWith('https:') === true || proto === 'https';
}
