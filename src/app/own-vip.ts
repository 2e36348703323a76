import { networkInterfaces } from 'node:os';
import { NetworkSet } from '../config/network.ts';

/** The addresses of `drain.vip` that this machine has now. @param addresses all that it has; default: as the system tells them */
export function ownVip(vip: readonly string[], addresses = machineAddresses): string[] {
  if (vip.length === 0) return [];
  const set = new NetworkSet(vip);
  return addresses().filter((address) => set.has(address));
}

/** Whether this machine has the VIP. Undefined: `drain.vip` does not say what it is. */
export function hasVip(vip: readonly string[]): boolean | undefined {
  return vip.length === 0 ? undefined : ownVip(vip).length > 0;
}

function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}
