import { BlockList, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Whether this machine has an address now: of a pair, only the edge that holds the VIP. */
export function hasAddress(address: string): boolean {
  const wanted = new BlockList();
  wanted.addAddress(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  return Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .some((found) => wanted.check(found.address, found.family === 'IPv6' ? 'ipv6' : 'ipv4'));
}
