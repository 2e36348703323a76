import { isIP, isIPv6, SocketAddress } from 'node:net';
import type { NetworkSet } from '../config/network.ts';

/** The client that makes a request, as far as the network tells. */
export interface Caller {
  address: string;
  /** The address is in a network of `auth.anonymous`. */
  anonymous: boolean;
}

/** Key for failures of one client. An IPv6 client counts by its /64, because it can use 2^64 addresses. */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return `a ${address}`;
  // One canonical text for each address, however a proxy wrote it.
  const text = new SocketAddress({ address, family: 'ipv6' }).address;
  if (/^::ffff:\d+\./.test(text)) return `a ${text.slice('::ffff:'.length)}`;
  const [head = '', tail = ''] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const gap = text.includes('::') ? Array(Math.max(0, 8 - before.length - after.length)).fill('0') : [];
  return `a ${[...before, ...gap, ...after].slice(0, 4).join(':')}::/64`;
}

/** Key for one user name tried from one address. */
export function pairKey(address: string, user: string): string {
  return `p ${addressKey(address)} ${user}`;
}

export function userKey(user: string): string {
  return `u ${user}`;
}

const MAX_HOPS = 32;

/**
 * The client's address: the last one, back from the socket, that is not a trusted proxy.
 * @param forwarded `X-Forwarded-For`; entries that an untrusted client wrote stand further left and are never reached
 */
export function clientAddress(socket: string, forwarded: string | undefined, trusted: NetworkSet): string {
  let address = socket;
  const hops = (forwarded ?? '').split(',').slice(-MAX_HOPS);
  for (let hop = hops.pop(); hop !== undefined && trusted.has(address); hop = hops.pop()) {
    const named = hop
      .trim()
      .replace(/^\[(.*)\](:\d+)?$/, '$1')
      .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
    // Beyond a malformed entry nothing is trusted.
    if (isIP(named) === 0) return address;
    address = named;
  }
  return address;
}
