import { BlockList, isIP } from 'node:net';
import { parseNetwork } from '../config/network.ts';

/** A set of networks, IPv4 and IPv6. */
export class Networks {
  readonly #list = new BlockList();

  /** @param texts `10.0.0.0/8`, `fd00::/8`, or single addresses */
  constructor(texts: readonly string[]) {
    for (const text of texts) {
      const network = parseNetwork(text);
      if (network) this.#list.addSubnet(network.address, network.bits, network.family);
    }
  }

  /** @param address as a socket has it; `::ffff:10.0.0.1` is 10.0.0.1 */
  has(address: string): boolean {
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
    const family = isIP(plain);
    return family !== 0 && this.#list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  }
}
