/** Who makes a request, as far as the network tells. */
export interface Caller {
  address: string;
  /** The address is in one of the networks that may pull without credentials. */
  anonymous: boolean;
}

/** What failures of one client are counted by: IPv6 hands out 2^64 addresses at once. */
export function addressKey(address: string): string {
  if (!address.includes(':') || /^::ffff:\d+\./i.test(address)) return `a ${address.replace(/^::ffff:/i, '')}`;
  const [head = '', tail = ''] = address.toLowerCase().replace(/%.*$/, '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const gap = address.includes('::') ? Array(Math.max(0, 8 - before.length - after.length)).fill('0') : [];
  return `a ${[...before, ...gap, ...after].slice(0, 4).join(':')}::/64`;
}

export function userKey(user: string): string {
  return `u ${user}`;
}
