import { isLoopback, type NetworkSet, UNIX } from '../../config/network.ts';
import type { Config } from '../../config/schema.ts';
import { OciError } from '../../oci/error.ts';

/** How a request came in. Plain HTTP has a `peer`: the address at the other end, of a load balancer too. Undefined: it is not known. */
export type Transport = { tls: true } | { tls?: false; peer: string | undefined };
export type Scheme = 'http' | 'https';

export const TLS: Transport = { tls: true };

/** What the scheme of a client's URLs is decided by. */
export interface SchemeHints {
  transport: Transport;
  /** Host and port by which the client asked. */
  authority: string;
  /** `X-Forwarded-Proto`. */
  forwardedProto: string | undefined;
  trustedProxies: NetworkSet | undefined;
}

/**
 * The scheme by which the client reaches the edge. A load balancer that ends TLS says it in `X-Forwarded-Proto`. If it says nothing, https
 * is assumed, because a token service over http would make clients send their password in the clear.
 */
export function schemeOf({ transport, authority, forwardedProto, trustedProxies }: SchemeHints): Scheme {
  if (transport.tls) return 'https';
  if (!isProxy(transport.peer, trustedProxies)) return 'http';
  // The first entry is that of the proxy which the client reached.
  const [told = ''] = (forwardedProto ?? '').split(',').map((one) => one.trim().toLowerCase());
  if (told === 'http' || told === 'https') return told;
  return isLoopback(hostIn(authority)) ? 'http' : 'https';
}

/** @throws OciError for a request over plain HTTP from another machine, unless a load balancer or the configuration vouches for it */
export function refusePlain(
  transport: Transport,
  { listen }: Pick<Config, 'listen'>,
  trustedProxies: NetworkSet | undefined,
): void {
  if (transport.tls || listen.plainClients === 'all') return;
  if (isLocal(transport.peer) || isProxy(transport.peer, trustedProxies)) return;
  throw new OciError('DENIED', 'plain HTTP is served here only to local clients and to trustedProxies; use https');
}

/**
 * Whether a host is a name by which clients of this machine call the plain listener, such as `localhost:5000`. Clients that are not let in
 * were refused before. No web page reaches the edge by such a name, unless its own host has it.
 */
export function isLocalName(transport: Transport, host: string): boolean {
  return !transport.tls && isLoopback(host);
}

function isLocal(peer: string | undefined): boolean {
  return peer !== undefined && (peer === UNIX || isLoopback(peer));
}

function isProxy(peer: string | undefined, trustedProxies: NetworkSet | undefined): boolean {
  return peer !== undefined && trustedProxies?.has(peer) === true;
}

function hostIn(authority: string): string {
  return authority.replace(/:\d*$/, '');
}
