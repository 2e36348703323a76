import { randomBytes } from 'node:crypto';
import { isoTime, monotonicNow } from '../clock/clock.ts';
import type { Unheard } from '../failover/unheard.ts';
import type { PeerSight } from '../failover/vip-eligibility.ts';
import { inBackground } from '../http/background.ts';
import type { Resolver } from '../upstream/resolver.ts';
import { Followers } from './followers.ts';
import { PeerClient } from './peer-client.ts';
import { PeerLink } from './peer-link.ts';
import type { StandingAnswer } from './peer-marks.ts';
import { peerAddresses } from './peer-question.ts';
import { PeerSealer } from './peer-sealer.ts';
import { PeerService } from './peer-service.ts';
import type { AcknowledgementView, PeerView, UnheardView } from './peer-view.ts';
import type { SharedStore } from './shared-store.ts';
import type { SightMessage } from './sight-message.ts';

export interface PeersConfig {
  /** URLs of the other edges; this edge may be among them. A name with several addresses stands for several edges. */
  urls: readonly string[];
  /** The hostname of the site. */
  hostname: string;
  /** At least one; those of `keyFile` first. Without a shared key, edges of the site cannot be recognized. */
  secrets: readonly Buffer[];
}

export interface PeersOptions {
  stores: readonly SharedStore[];
  /** Those whose changes peers hear before the reply to a client. */
  told: readonly SharedStore[];
  resolver: Resolver;
  /** The clock of all entries. It must be ahead of every entry's time. */
  now: () => number;
  /** Called with each change of a peer's state. */
  onState: (view: PeerView) => void;
  /** Called with the address of an edge that did not acknowledge a write in time. */
  onLate: (from: string) => void;
}

interface Connected {
  link: PeerLink;
  client: PeerClient;
}

/** Milliseconds for which the start waits for other edges. */
const START_WAIT_MS = 3000;
/** Milliseconds for which an unknown name may take to resolve. */
const RESOLVE_TIMEOUT_MS = 2000;
/** Milliseconds between two resolutions of the names. */
const RESOLVE_INTERVAL_MS = 10_000;
const MAX_LINKS = 64;
/** Most times that are remembered of edges which are no peers any more. */
const MAX_LEFT = 16;

/** The other edges of the site: reads what they learn, and answers their questions. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #node = randomBytes(16).toString('base64url');
  /** The links by URL and address. */
  readonly #links = new Map<string, Connected>();
  /** Names that do not resolve, by URL. */
  readonly #unresolved = new Map<string, { since: number; reason: string }>();
  readonly #service: PeerService;
  readonly #followers: Followers;
  /** What was not heard of edges that are no peers any more. */
  readonly #left: Unheard[] = [];
  #config: PeersConfig;
  /** With a shared key this edge also answers edges that it does not ask itself. */
  #sealer: PeerSealer;
  #resolving: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Whether the edges that were reachable at the start have told what they know. */
  heard = false;
  /** What this edge tells of its sight. Set before the start. */
  tellSight: () => SightMessage | undefined = () => undefined;

  constructor(config: PeersConfig, options: PeersOptions) {
    this.#config = config;
    this.#options = options;
    this.#sealer = new PeerSealer(config.secrets);
    const followers = new Followers({ stores: options.told, onLate: options.onLate });
    this.#followers = followers;
    this.#service = new PeerService({
      ...options,
      sealer: () => this.#sealer,
      node: this.#node,
      followers,
      sight: () => this.tellSight(),
    });
  }

  /** Resolves once every reachable edge was read, after three seconds at the latest; the links keep asking until `stop`. */
  async start(): Promise<void> {
    if (this.#config.urls.length > 0) await withTimeout(START_WAIT_MS, this.#connect(), () => undefined);
    this.heard = true;
    this.#resolving = setInterval(this.#connect, RESOLVE_INTERVAL_MS).unref();
  }

  /** Takes a new configuration. Edges that stay keep their progress. */
  update(config: PeersConfig): void {
    const renamed = config.hostname !== this.#config.hostname;
    this.#config = config;
    this.#sealer = new PeerSealer(config.secrets);
    if (renamed) for (const key of [...this.#links.keys()]) this.#drop(key);
    void this.#connect();
  }

  /** Reads everything again from all edges, because this edge has dropped something, or names something else. */
  resync(): void {
    for (const { link } of this.#links.values()) link.resync();
  }

  /** Answers another edge. @param text a sealed question. @returns undefined: not from an edge of this site */
  async answer(text: string, standing?: StandingAnswer): Promise<string | undefined> {
    return this.#service.answer(text, standing);
  }

  /**
   * Tells the edges in step what has changed. Called before the reply to a write. Resolves when they have acknowledged it, within
   * `ACKNOWLEDGE_MS`.
   */
  tell(): Promise<void> {
    return this.#followers.tell();
  }

  /** Tells the other edges that this one acknowledges no write any more. Called when no client gets a reply any more. */
  end(): void {
    this.#followers.end();
  }

  /** Times in which other edges may have acknowledged writes of which this edge has not heard. */
  unheard(): Unheard[] {
    return [...this.#left, ...[...this.#links.values()].flatMap(({ link }) => link.unheard)];
  }

  /** Whether another edge may have acknowledged writes that it has not told, and may still tell. */
  get mayLackNews(): boolean {
    return this.#unresolved.size > 0 || this.unheard().some(({ until }) => until === undefined);
  }

  unheardViews(): UnheardView[] {
    const iso = (at: number | undefined) => (at === undefined ? null : isoTime(at));
    return this.unheard().map(({ peer, since, until }) => ({ peer, since: iso(since), until: iso(until) }));
  }

  acknowledgements(): AcknowledgementView {
    const { late, behind } = this.#followers;
    return { late, behind: behind.map(({ from, since }) => ({ peer: from, since: isoTime(since) })) };
  }

  /** What the other edges see, as they told last. */
  sights(): PeerSight[] {
    return [...this.#links.values()].flatMap(({ link }) => link.sight ?? []);
  }

  views(): PeerView[] {
    return [...[...this.#links.values()].map(({ link }) => link.view), ...[...this.#unresolved].map(unresolvedView)];
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#resolving);
    for (const key of [...this.#links.keys()]) this.#drop(key);
  }

  /** Resolves all names, and opens and closes links. Never rejects. */
  readonly #connect = inBackground('peer', () => this.#connectAll());

  async #connectAll(): Promise<void> {
    const config = this.#config;
    const found = await Promise.all(config.urls.map((url) => this.#addressesOf(url)));
    // The configuration may have changed while the names were resolved.
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
    const { resolver, stores, now, onState } = this.#options;
    const client = new PeerClient({ address, hostname: this.#config.hostname, resolver });
    const link = new PeerLink({
      url,
      address: new URL(address).host,
      ask: (text, progress) => client.ask(text, progress),
      sealer: () => this.#sealer,
      stores,
      node: this.#node,
      now,
      onState,
    });
    this.#links.set(key, { link, client });
    return link.start();
  }

  #drop(key: string): void {
    const connected = this.#links.get(key);
    this.#links.delete(key);
    const now = this.#options.now();
    // An edge that is no peer any more acknowledges nothing from now on.
    for (const { until = now, ...gap } of connected?.link.unheard ?? []) this.#left.push({ ...gap, until });
    this.#left.splice(0, Math.max(0, this.#left.length - MAX_LEFT));
    connected?.link.stop();
    // Requests that are still running there are not awaited.
    void connected?.client.close().catch(() => undefined);
  }

  async #addressesOf(text: string): Promise<{ url: string; address: string }[]> {
    const late = () => {
      throw new Error(`${new URL(text).hostname} did not resolve in time`);
    };
    try {
      // The other names must not wait.
      const found = await withTimeout(RESOLVE_TIMEOUT_MS, peerAddresses(text, this.#options.resolver), late);
      this.#unresolved.delete(text);
      return found.map((address) => ({ url: text, address }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const known = this.#unresolved.get(text);
      const unresolved = { since: known?.since ?? monotonicNow(), reason };
      this.#unresolved.set(text, unresolved);
      if (!known) this.#options.onState(unresolvedView([text, unresolved]));
      return [];
    }
  }
}

function unresolvedView([url, { since, reason }]: [string, { since: number; reason: string }]): PeerView {
  return { url, address: null, state: 'unreachable', since: isoTime(since), reason, ...UNKNOWN };
}

const UNKNOWN = { heardAt: null, entries: 0, release: null, clockAheadMs: null };

/** The result, or that of `late` after a timeout. */
function withTimeout<T>(ms: number, result: Promise<T>, late: () => T): Promise<T> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  return Promise.race([result, over.then(late)]).finally(() => clearTimeout(timer));
}
