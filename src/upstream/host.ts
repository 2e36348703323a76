/** Whether two names of hosts mean the same: in any case, IPv6 addresses with or without brackets. */
export function sameHost(one: string, other: string): boolean {
  return plain(one) === plain(other);
}

function plain(host: string): string {
  return host.toLowerCase().replace(/^\[|\]$/g, '');
}
