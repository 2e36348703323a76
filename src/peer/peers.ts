import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Resolver } from '../upstream/resolver.ts';
import { PeerClient } from './peer-client.ts';
import { PeerLink } from './peer-link.ts';
import { PeerSealer } from './peer-sealer.ts';
import { PeerService } from './peer-service.ts';
import type { PeerView } from './peer-view.ts';
import type { SharedStore } from './shared-store.ts';

export interface PeersConfig {
  /** Of the other nodes; this one may be among them. A name may have several addresses, each a node. */
  urls: readonly string[];
  /** The name of the edge. */
  hostname: string;
  /** Secrets of `keyFile`, the one in use first; at least one where there are URLs. */
  secrets: readonly Buffer[];
}

export interface PeersOptions {
  stores: readonly SharedStore[];
  resolver: Resolver;
  /** Told of each change of a peer's state. */
  onState: (view: PeerView) => void;
}

interface Connected {
  link: PeerLink;
  client: PeerClient;
}

/** How long a start waits for what other nodes know, in milliseconds. */
const START_WAIT_MS = 3000;
/** How long a name is waited for that was never known. */
const RESOLVE_TIMEOUT_MS = 2000;
/** Between two looks at what names lead to. */
const RESOLVE_INTERVAL_MS = 10_000;
const MAX_LINKS = 64;

/** The other nodes of the site: asks each for what it learnt, and tells those that ask what this one did. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #node = randomBytes(16).toString('base64url');
  /** By URL and address. */
  readonly #links = new Map<string, Connected>();
  /** Names that lead nowhere, by URL. */
  readonly #unresolved = new Map<string, PeerView>();
  readonly #service: PeerService;
  #config: PeersConfig;
  #sealer: PeerSealer | undefined;
  #resolving: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(config: PeersConfig, options: PeersOptions) {
    this.#config = config;
    this.#options = options;
    this.#sealer = sealerFor(config);
    const sealer = () => this.#requireSealer();
    this.#service = new PeerService({ sealer, stores: options.stores, node: this.#node });
  }

  /** Resolves when what can be asked has told all it knows, after three seconds at the latest; goes on until `stop`. */
  async start(): Promise<void> {
    if (this.#config.urls.length > 0) await withTimeout(START_WAIT_MS, this.#connect(), () => undefined);
    this.#resolving = setInterval(() => void this.#connect(), RESOLVE_INTERVAL_MS).unref();
  }

  /** Goes over to another configuration; nodes that stay are not asked anew for what they told. */
  update(config: PeersConfig): void {
    const renamed = config.hostname !== this.#config.hostname;
    this.#config = config;
    this.#sealer = sealerFor(config);
    if (renamed) for (const key of [...this.#links.keys()]) this.#drop(key);
    void this.#connect();
  }

  /** Lets all be told again: something of it was forgotten here, or means something else now. */
  resync(): void {
    for (const { link } of this.#links.values()) link.resync();
  }

  /** What another node is told. @param text sealed @returns undefined: it was not asked by a node of this site */
  async answer(text: string): Promise<string | undefined> {
    return this.#sealer ? this.#service.answer(text) : undefined;
  }

  views(): PeerView[] {
    return [...[...this.#links.values()].map(({ link }) => link.view), ...this.#unresolved.values()];
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#resolving);
    for (const key of [...this.#links.keys()]) this.#drop(key);
  }

  #requireSealer(): PeerSealer {
    if (!this.#sealer) throw new Error('peers without a key');
    return this.#sealer;
  }

  /** Follows the names to their addresses. Never rejects. */
  async #connect(): Promise<void> {
    const config = this.#config;
    const found = await Promise.all(config.urls.map((url) => this.#addressesOf(url)));
    // Meanwhile others may be wanted.
    if (this.#stopped || config !== this.#config) return;
    const wanted = new Map(
      found
        .flat()
        .slice(0, MAX_LINKS)
        .map((one) => [`${one.url} ${one.address}`, one]),
    );
    for (const key of [...this.#links.keys()]) if (!wanted.has(key)) this.#drop(key);
    for (const url of [...this.#unresolved.keys()]) if (!config.urls.includes(url)) this.#unresolved.delete(url);
    const fresh = [...wanted].filter(([key]) => !this.#links.has(key));
    await Promise.all(fresh.map(([key, { url, address }]) => this.#add(key, url, address)));
  }

  #add(key: string, url: string, address: string): Promise<void> {
    const { resolver, stores, onState } = this.#options;
    const client = new PeerClient({ address, hostname: this.#config.hostname, resolver });
    const link = new PeerLink({
      url,
      address: new URL(address).host,
      ask: (text) => client.ask(text),
      sealer: () => this.#requireSealer(),
      stores,
      node: this.#node,
      onState,
    });
    this.#links.set(key, { link, client });
    return link.start();
  }

  #drop(key: string): void {
    const connected = this.#links.get(key);
    this.#links.delete(key);
    connected?.link.stop();
    // Whatever is under way there is not waited for.
    void connected?.client.close().catch(() => undefined);
  }

  /** @throws Error where a name that was never known is not found in time: the others are not to wait for it */
  #resolve(name: string): Promise<{ address: string }[]> {
    return withTimeout(RESOLVE_TIMEOUT_MS, this.#options.resolver.addresses(name), () => {
      throw new Error(`no name server says in time where ${name} is`);
    });
  }

  async #addressesOf(text: string): Promise<{ url: string; address: string }[]> {
    const url = new URL(text);
    const name = url.hostname.replace(/^\[|\]$/g, '');
    try {
      const found = isIP(name) ? [{ address: name }] : await this.#resolve(name);
      this.#unresolved.delete(text);
      return found.map(({ address }) => {
        const one = new URL(text);
        one.hostname = address.includes(':') ? `[${address}]` : address;
        return { url: text, address: one.origin };
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const known = this.#unresolved.get(text);
      const view: PeerView = {
        url: text,
        address: undefined,
        state: 'unreachable',
        since: Date.now(),
        reason,
        heardAt: undefined,
        entries: 0,
      };
      if (!known) this.#options.onState(view);
      this.#unresolved.set(text, { ...view, since: known?.since ?? view.since });
      return [];
    }
  }
}

/** What it comes to, or what is said when that takes longer. */
function withTimeout<T>(ms: number, result: Promise<T>, late: () => T): Promise<T> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return Promise.race([result, over.then(late)]).finally(() => clearTimeout(timer));
}

/** Without a shared key nobody can be told from a node of this site. With one, others may ask that this node need not. */
function sealerFor({ secrets }: PeersConfig): PeerSealer | undefined {
  return secrets.length > 0 ? new PeerSealer(secrets) : undefined;
}
