import { isIP, isIPv6, SocketAddress } from 'node:net';
import type { NetworkSet } from '../config/network.ts';

/** Who makes a request, as far as the network tells. */
export interface Caller {
  address: string;
  /** The address is in one of the networks that may pull without credentials. */
  anonymous: boolean;
}

/** What failures of one client are counted by: IPv6 hands out 2^64 addresses at once. */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return `a ${address}`;
  // One address has one text here, however a proxy wrote it.
  const text = new SocketAddress({ address, family: 'ipv6' }).address;
  if (/^::ffff:\d+\./.test(text)) return `a ${text.slice('::ffff:'.length)}`;
  const [head = '', tail = ''] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const gap = text.includes('::') ? Array(Math.max(0, 8 - before.length - after.length)).fill('0') : [];
  return `a ${[...before, ...gap, ...after].slice(0, 4).join(':')}::/64`;
}

/** One user's name as tried from one address. */
export function pairKey(address: string, user: string): string {
  return `p ${addressKey(address)} ${user}`;
}

export function userKey(user: string): string {
  return `u ${user}`;
}

const MAX_HOPS = 32;

/**
 * Who the client is: the last address that is none of the trusted proxies', going back from the socket.
 * @param forwarded `X-Forwarded-For`; what an untrusted client wrote into it stands further left and is never reached
 */
export function clientAddress(socket: string, forwarded: string | undefined, trusted: NetworkSet): string {
  let address = socket;
  const hops = (forwarded ?? '').split(',').slice(-MAX_HOPS);
  for (let hop = hops.pop(); hop !== undefined && trusted.has(address); hop = hops.pop()) {
    const named = hop
      .trim()
      .replace(/^\[(.*)\](:\d+)?$/, '$1')
      .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
    // A proxy that writes nonsense there is as far back as anything is known.
    if (isIP(named) === 0) return address;
    address = named;
  }
  return address;
}
