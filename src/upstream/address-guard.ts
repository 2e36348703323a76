import type dns from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { namedAddresses, plainHost, sameHost } from './allowed-hosts.ts';
import { lookupFrom, type Resolver } from './resolver.ts';
import { UpstreamError } from './upstream-error.ts';

type Kind = 'loopback' | 'link-local' | 'metadata';

/** Networks in which no token service and no storage of an upstream is expected. `0.0.0.0` and `::` reach this machine, too. */
const NETWORKS: Record<Kind, string[]> = {
  loopback: ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128', '64:ff9b::7f00:0/104'],
  'link-local': ['169.254.0.0/16', 'fe80::/10', '64:ff9b::a9fe:0/112'],
  // Services that tell a machine of a cloud its secrets, where they are not link-local: AWS, Google, Alibaba, Azure, Oracle.
  metadata: ['fd00:ec2::/32', 'fd20:ce::254/128', '100.100.100.200/32', '168.63.129.16/32', '192.0.0.192/32'],
};

const LISTS = Object.entries(NETWORKS).map(([kind, networks]) => {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), familyOf(address));
  }
  return { kind: kind as Kind, list };
});

/** The kind of an address that is not connected to unless it is named; `::ffff:127.0.0.1` counts as 127.0.0.1. */
export function guardedKind(address: string): Kind | undefined {
  const plain = address.replace(/%.*$/, '');
  return LISTS.find(({ list }) => list.check(plain, familyOf(plain)))?.kind;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 4 ? 'ipv4' : 'ipv6';
}

/**
 * Resolves the hosts that an upstream names, for the connections to them. The upstream, or its DNS, must not make the edge talk to services
 * of the edge's own machine. The connection is made to the addresses that are checked here, so a name cannot change its address in between.
 */
export class AddressGuard {
  readonly #resolver: Pick<Resolver, 'addresses'>;
  readonly #own: readonly string[];
  readonly #named: ReadonlySet<string>;

  /**
   * @param own the upstream's URLs, whose hosts may be anywhere
   * @param list the operator's; its addresses may be connected to
   */
  constructor(resolver: Pick<Resolver, 'addresses'>, own: readonly URL[], list: readonly string[]) {
    this.#resolver = resolver;
    this.#own = own.map(({ hostname }) => plainHost(hostname));
    this.#named = namedAddresses(list);
  }

  /** For `net.connect`, which does not ask for a host that is an address: such a host has been named. */
  readonly lookup: LookupFunction = lookupFrom((name) => this.#allowed(name));

  async #allowed(name: string): Promise<dns.LookupAddress[]> {
    const all = await this.#resolver.addresses(name);
    // Only the operator can have named `localhost`.
    if (name === 'localhost' || this.#own.some((host) => sameHost(host, name))) return all;
    const open = all.filter(({ address }) => guardedKind(address) === undefined || this.#named.has(address));
    if (open.length === all.length) return all;
    const usable = [...open, ...(await this.#besideUpstream(all))];
    if (usable.length > 0) return usable;
    const [{ address } = { address: '' }] = all;
    throw new UpstreamError(
      'redirect-host',
      `${name} has the ${guardedKind(address)} address ${address}, which no list of hosts names`,
    );
  }

  /** The addresses where the upstream itself is: any loopback address for one on this machine, else the same address. */
  async #besideUpstream(all: readonly dns.LookupAddress[]): Promise<dns.LookupAddress[]> {
    const found = await Promise.all(this.#own.map((host) => this.#resolver.addresses(host).catch(() => [])));
    const own = found.flat().map(({ address }) => address);
    const isLocal = own.some((address) => guardedKind(address) === 'loopback');
    return all.filter(({ address }) => {
      const kind = guardedKind(address);
      return kind === 'loopback' ? isLocal : kind !== undefined && own.includes(address);
    });
  }
}
