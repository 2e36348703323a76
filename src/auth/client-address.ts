import { isIP } from 'node:net';
import type { Networks } from './networks.ts';

const MAX_HOPS = 32;

/**
 * Who the client is: the last address that is none of the trusted proxies', going back from the socket.
 * @param forwarded `X-Forwarded-For`; what an untrusted client wrote into it stands further left and is never reached
 */
export function clientAddress(socket: string, forwarded: string | undefined, trusted: Networks): string {
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
