import type { AcmeConfig } from '../config/acme-schema.ts';
import { inBackground } from '../http/background.ts';
import { AcmeFolder, type AcmePair, type KnownPair, randomId } from './acme-folder.ts';
import { type OrderOptions, orderCertificate, type PresentedChallenge } from './acme-order.ts';
import { AcmeState } from './acme-state.ts';
import type { AcmeView, AcmeWish } from './acme-view.ts';
import { changeDns } from './dns-command.ts';
import { type AcmeFacts, type AcmeStep, CLAIM_MS, lookAgainMs, nextStep } from './schedule.ts';

export interface AcmeKeeperOptions {
  config: AcmeConfig;
  names: readonly string[];
  /** Absolute; undefined: this edge orders nothing. */
  folder: string | undefined;
  /** CA of the ACME server. */
  ca: string | undefined;
  hasPeers: () => boolean;
  /** Epoch milliseconds. */
  now: () => number;
  /** Called with a new certificate. It throws if the certificate cannot be used. */
  onCertificate: (pair: AcmePair) => void;
  onEvent: (level: 'info' | 'warn' | 'error', facts: object, text: string) => void;
  /** Default: orders from the ACME server. */
  order?: (options: OrderOptions) => Promise<AcmePair>;
  /** Milliseconds until other edges have heard of a challenge. */
  peersHearMs?: number;
}

const PEERS_HEAR_MS = 5_000;
/** After a look that failed. */
const FAILED_LOOK_MS = 60_000;

/** Keeps a certificate: orders it, renews it, and takes what other edges of the site have ordered. */
export class AcmeKeeper {
  readonly state: AcmeState;
  readonly #options: AcmeKeeperOptions;
  readonly #folder: AcmeFolder | undefined;
  readonly #edge = randomId();
  #timer: NodeJS.Timeout | undefined;
  #step: AcmeStep | undefined;
  #ordering = false;
  /** The operator's wish that this edge has tried to fulfil. */
  #tried: string | undefined;
  #failures = 0;
  #lastFailure: number | undefined;
  #lastError: string | undefined;
  #stopped = false;
  #saved: KnownPair | undefined;
  /** A folder that cannot be written orders nothing: its orders would not be counted after a restart. */
  #folderError: string | undefined;

  constructor(options: AcmeKeeperOptions) {
    this.#options = options;
    this.#folder = options.folder === undefined ? undefined : new AcmeFolder(options.folder);
    this.state = new AcmeState({ names: options.names, directory: options.config.directory }, options.now);
    this.state.onNews = () => this.#onNews();
  }

  /** Reads the folder. @throws Error that names the folder, if it cannot be used */
  async load(): Promise<void> {
    if (!this.#folder) return;
    try {
      await this.#folder.prepare();
      const pair = await this.#folder.certificate();
      this.#saved = pair;
      if (pair) this.state.startWith(pair);
      await this.#loadOrders(this.#folder);
    } catch (error) {
      throw new Error(`${this.#options.folder} cannot be used: ${textOf(error)}`, { cause: error });
    }
  }

  /** Orders of a clock that was ahead count as of now, so that they come to an end. */
  async #loadOrders(folder: AcmeFolder): Promise<void> {
    const kept = await folder.orders();
    const orders = kept.map(({ id, at }) => ({ id, at: Math.min(at, this.#options.now()) }));
    if (orders.some(({ at }, index) => at !== kept[index]?.at)) await folder.saveOrders(orders);
    for (const { id, at } of orders) this.state.addOrder(id, at);
  }

  start(): void {
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** An operator wants an order now, whatever the schedule says. One edge of the site places it. */
  orderNow(): AcmeWish {
    const { names, hasPeers, now } = this.#options;
    const others = this.state.claims.some(({ at, ordering }) => ordering && Math.abs(now() - at) < CLAIM_MS);
    if (this.#ordering || others) return { names, by: 'under-way' };
    this.state.addWish(randomId());
    this.#again(0);
    return { names, by: hasPeers() || !this.#folder ? 'site' : 'this-edge' };
  }

  view(): AcmeView {
    const { span } = this.state;
    const now = this.#options.now();
    const waits = this.#step?.do === 'wait' ? this.#step : undefined;
    const kept = span && span.until > now ? (waits?.reason === 'valid' ? 'valid' : 'renewing') : 'expired';
    return {
      state: this.#ordering ? 'ordering' : span ? kept : 'none',
      names: this.#options.names,
      until: span?.until,
      lacks: this.state.lacks,
      waits: waits?.reason,
      nextAt: waits?.until,
      orders: this.state.orders.length,
      failures: this.#failures,
      lastError: this.#folderError ?? this.#lastError,
    };
  }

  readonly #takeNews = inBackground('certificate', (pair: KnownPair) => this.#take(pair, 'another edge'));

  /** The facts from which the next step follows. */
  #facts(): AcmeFacts {
    return {
      now: this.#options.now(),
      certificate: this.state.span,
      mayOrder: this.#folder !== undefined,
      orders: this.state.orders,
      failures: this.#failures,
      lastFailure: this.#lastFailure,
      edge: this.#edge,
      claims: this.state.claims,
      hasPeers: this.#options.hasPeers(),
      wished: this.state.wish !== undefined && this.state.wish !== this.#tried,
    };
  }

  /** Another edge has told something. */
  #onNews(): void {
    const { pair } = this.state;
    if (pair && pair !== this.#saved) void this.#takeNews(pair);
    if (!this.#ordering) this.#again(1_000);
  }

  readonly #look = inBackground('certificate', async () => {
    if (this.#stopped || this.#ordering) return;
    // Whatever fails, there is another look.
    let next = FAILED_LOOK_MS;
    try {
      const facts = this.#facts();
      const step = nextStep(facts);
      this.#step = step;
      if (step.do === 'claim') this.state.claim({ edge: this.#edge, at: facts.now, ordering: false });
      if (step.do === 'order') await this.#order(facts.now);
      next = lookAgainMs(this.#step ?? step, this.#options.now(), facts.hasPeers);
    } finally {
      this.#again(next);
    }
  });

  #again(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(this.#look, ms).unref();
  }

  async #order(now: number): Promise<void> {
    const { names, onEvent } = this.#options;
    this.#ordering = true;
    this.#tried = this.state.wish;
    this.state.claim({ edge: this.#edge, at: now, ordering: true });
    try {
      onEvent('info', { names }, 'a certificate is being ordered');
      const issued = await (this.#options.order ?? orderCertificate)(this.#orderOptions());
      const pair = { ...issued, directory: this.#options.config.directory };
      if (!this.state.takeCertificate(pair))
        throw new Error(
          'the ACME server issued a certificate that lacks a name, or ends no later than the present one',
        );
      await this.#take(pair, 'the ACME server');
      this.#failures = 0;
      this.#lastError = undefined;
    } catch (error) {
      this.#failures += 1;
      this.#lastFailure = this.#options.now();
      this.#lastError = textOf(error);
      const { span } = this.state;
      const until = span && new Date(span.until).toISOString();
      onEvent(
        'error',
        { names, failures: this.#failures, reason: this.#lastError, until },
        'no certificate could be ordered; what is in use stays, and the order is repeated later',
      );
    } finally {
      this.#ordering = false;
      this.state.endClaim(this.#edge);
    }
    this.#step = nextStep(this.#facts());
  }

  #orderOptions(): OrderOptions {
    const { config, names, ca } = this.#options;
    const folder = this.#folder;
    if (!folder) throw new Error('this edge has no tls.acme.dir');
    return {
      ...{ directory: config.directory, ca, email: config.email, names, challenge: config.challenge },
      accountKey: (make) => folder.accountKey(config.directory, make),
      onOrder: async () => {
        const order = { id: randomId(), at: this.#options.now() };
        await folder.saveOrders([...this.state.knownOrders, order]);
        this.state.addOrder(order.id, order.at);
        this.state.endWish();
      },
      present: (challenge) => this.#present(challenge),
      remove: (challenge) => this.#remove(challenge),
      settled: () => this.#settled(),
    };
  }

  async #present({ token, answer, record }: PresentedChallenge): Promise<void> {
    const { challenge, dns } = this.#options.config;
    if (challenge === 'http-01') this.state.addChallenge(token, answer);
    else await changeDns({ command: dns.command ?? [], timeout: dns.timeout }, 'add', record, answer);
  }

  async #remove({ answer, record }: PresentedChallenge): Promise<void> {
    const { challenge, dns } = this.#options.config;
    if (challenge === 'http-01') return;
    try {
      await changeDns({ command: dns.command ?? [], timeout: dns.timeout }, 'remove', record, answer);
    } catch (error) {
      this.#options.onEvent('warn', { record, reason: textOf(error) }, 'a DNS record of a challenge was not removed');
    }
  }

  /** Waits until other edges have heard of the challenges, or until name servers have the records. */
  async #settled(): Promise<void> {
    const { config, hasPeers, peersHearMs = PEERS_HEAR_MS } = this.#options;
    const ms = config.challenge === 'dns-01' ? config.dns.wait : hasPeers() ? peersHearMs : 0;
    await new Promise<void>((resolve) => setTimeout(resolve, ms));
  }

  /** Uses a certificate, and keeps it. */
  async #take(pair: KnownPair, from: string): Promise<void> {
    const { names, onCertificate, onEvent } = this.#options;
    this.#saved = pair;
    onCertificate(pair);
    const until = this.state.span && new Date(this.state.span.until).toISOString();
    onEvent('info', { names, until, from }, 'a new certificate is in use');
    try {
      await this.#folder?.saveCertificate(pair);
      this.#folderError = undefined;
    } catch (error) {
      this.#folderError = `tls.acme.dir ${this.#options.folder}: ${textOf(error)}`;
      onEvent('error', { reason: this.#folderError }, 'the new certificate is in use, but cannot be kept');
    }
  }
}

/** The message, short and printable: parts of it come from the ACME server. */
function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 500);
}
