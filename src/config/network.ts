import { BlockList, isIP } from 'node:net';

/** What stands for the address of everything at the other end of a unix socket. */
export const UNIX = 'unix:';

export interface Network {
  address: string;
  bits: number;
  family: 'ipv4' | 'ipv6';
}

/** Parses `10.0.0.0/8`, `fd00::/8` or a single address; undefined: malformed. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const bits = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (version === 0 || rest.length > 0 || !(bits <= most)) return undefined;
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** A set of networks, IPv4 and IPv6. */
export class NetworkSet {
  readonly #list = new BlockList();
  readonly #hasUnix: boolean;

  /** @param texts `10.0.0.0/8`, `fd00::/8`, single addresses, or `unix:` */
  constructor(texts: readonly string[]) {
    this.#hasUnix = texts.includes(UNIX);
    for (const text of texts) {
      const network = parseNetwork(text);
      if (network) this.#list.addSubnet(network.address, network.bits, network.family);
    }
  }

  /** @param address as a socket gives it; `::ffff:10.0.0.1` means 10.0.0.1 */
  has(address: string): boolean {
    if (address === UNIX) return this.#hasUnix;
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  }
}

/** Whether only this machine can reach a listener. @param address of the configuration: `HOST:PORT`, or `unix:/PATH` */
export function isLocalListener(address: string): boolean {
  return address.startsWith(UNIX) || isLoopback(address.replace(/:\d+$/, ''));
}

/** Whether a host, with or without brackets, is this machine as only itself can reach it. */
export function isLoopback(host: string): boolean {
  const plain = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/, '');
  if (isIP(plain) === 4) return plain.startsWith('127.');
  return plain === 'localhost' || plain === '::1';
}
