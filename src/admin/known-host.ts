import { isIP, SocketAddress } from 'node:net';
import { isLoopback } from '../config/network.ts';

/**
 * Whether a Host header names this listener. A web page can make its own host name lead here (DNS rebinding), but it cannot change the
 * name that the browser sends. An address cannot be rebound. Its port is ignored, because it may be the port of a tunnel.
 * @param localAddress of the connection: the address under which the client reached the listener
 * @param names in lower case, without ports: `listen.adminHosts`
 */
export function isKnownHost(header: string | undefined, localAddress: string, names: readonly string[]): boolean {
  const host = hostIn(header ?? '');
  if (host === undefined) return false;
  return isLoopback(host) || host === canonical(localAddress) || names.some((name) => canonical(name) === host);
}

/** The host of a Host header (RFC 9110 section 7.2) without its port; undefined if it is none. */
function hostIn(header: string): string | undefined {
  const [, host] = /^(\[[\w:.%-]+\]|[\w.-]+)(?::\d{1,5})?$/.exec(header) ?? [];
  return host === undefined ? undefined : canonical(host);
}

/** One text for one host: lower case, no brackets, no zone, no dot at the end, and an IPv6 address as RFC 5952 has it. */
function canonical(host: string): string {
  const plain = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '')
    .replace(/\.$/, '');
  if (isIP(plain) !== 6) return plain;
  return new SocketAddress({ address: plain, family: 'ipv6' }).address.replace(/^::ffff:(?=\d+\.)/, '');
}
