import { X509Certificate } from 'node:crypto';
import { isPair, type KnownOrder, type KnownPair } from './acme-folder.ts';
import { type CertificateSpan, CLAIM_MS, type Claim, recentOrders, WISH_MS } from './schedule.ts';

/** What the edges of a site tell each other. Times are epoch milliseconds of this machine. */
export type AcmeEntry =
  | { kind: 'challenge'; token: string; answer: string; at: number }
  | { kind: 'certificate'; pair: KnownPair }
  | { kind: 'claim'; claim: Claim; over: boolean }
  | { kind: 'order'; id: string; at: number }
  | ({ kind: 'wish' } & Wish);

/** An operator wants an order now. It is over as soon as any edge has placed one. */
export interface Wish {
  id: string;
  at: number;
  over: boolean;
}

/** What a certificate must be. */
export interface Requirement {
  names: readonly string[];
  /** Of the ACME server. */
  directory: string;
}

/** Challenges of one order, for 100 names at most; of a few orders. */
const MAX_CHALLENGES = 400;
const CHALLENGE_MS = 60 * 60_000;
const MAX_CLAIMS = 64;
const MAX_KNOWN_ORDERS = 64;

/** Challenges, claims, orders and the certificate, of this edge and of the others. In memory; the folder keeps what must last. */
export class AcmeState {
  /** Called with the key of each entry that changed here, so that other edges hear of it. */
  onChange: (key: string) => void = () => undefined;
  /** Called when another edge has told a newer certificate, or a claim. */
  onNews: () => void = () => undefined;
  readonly #requirement: Requirement;
  readonly #now: () => number;
  readonly #challenges = new Map<string, { answer: string; at: number }>();
  readonly #claims = new Map<string, { claim: Claim; over: boolean }>();
  readonly #orders = new Map<string, number>();
  #wish: Wish | undefined;
  #pair: KnownPair | undefined;
  #leaf: X509Certificate | undefined;

  constructor(requirement: Requirement, now: () => number) {
    this.#requirement = requirement;
    this.#now = now;
  }

  get pair(): KnownPair | undefined {
    return this.#pair;
  }

  /** Undefined: there is no certificate. */
  get span(): CertificateSpan | undefined {
    const leaf = this.#leaf;
    if (!leaf) return undefined;
    return {
      ...{ from: leaf.validFromDate.getTime(), until: leaf.validToDate.getTime() },
      complete: this.lacks === undefined,
    };
  }

  /** Why the certificate is to be replaced, though it may be valid. */
  get lacks(): 'directory' | 'names' | undefined {
    if (!this.#pair || !this.#leaf) return undefined;
    if (this.#pair.directory !== this.#requirement.directory) return 'directory';
    return this.#hasNames(this.#leaf) ? undefined : 'names';
  }

  #hasNames(leaf: X509Certificate): boolean {
    return this.#requirement.names.every((name) => hasName(leaf, name));
  }

  /**
   * Takes a certificate that has all names, if it is better than the present one. One of another ACME server is only better than none, than
   * an expired one, and than an older one of that kind.
   * @returns whether it did
   */
  takeCertificate(pair: KnownPair): boolean {
    if (!isPair(pair)) return false;
    const leaf = new X509Certificate(pair.cert);
    if (!this.#hasNames(leaf)) return false;
    if (this.#pair && this.#leaf) {
      const [told, present] = [this.#worth(pair, leaf), this.#worth(this.#pair, this.#leaf)];
      const differs = told.findIndex((value, index) => value !== present[index]);
      if ((told[differs] ?? 0) <= (present[differs] ?? 0)) return false;
    }
    this.#set(pair, leaf);
    return true;
  }

  /** What counts for a certificate, the most important first. */
  #worth({ directory }: KnownPair, leaf: X509Certificate): number[] {
    const until = leaf.validToDate.getTime();
    const is = [until > this.#now(), directory === this.#requirement.directory, this.#hasNames(leaf)];
    return [...is.map(Number), until];
  }

  /** The certificate of the folder, whatever it is: an old one is better than none. */
  startWith(pair: KnownPair): void {
    this.#set(pair, new X509Certificate(pair.cert));
  }

  #set(pair: KnownPair, leaf: X509Certificate): void {
    this.#pair = pair;
    this.#leaf = leaf;
    this.onChange('certificate');
  }

  /** The answer to a challenge of HTTP-01; undefined: no edge of this site has asked for it. */
  answerFor(token: string): string | undefined {
    return this.#challenges.get(token)?.answer;
  }

  addChallenge(token: string, answer: string): void {
    this.#putChallenge(token, answer, this.#now());
    this.onChange(`challenge ${token}`);
  }

  #putChallenge(token: string, answer: string, at: number): void {
    const old = this.#now() - CHALLENGE_MS;
    for (const [known, one] of this.#challenges) if (one.at < old) this.#challenges.delete(known);
    // The oldest ones are the first in a map.
    for (const known of this.#challenges.keys()) {
      if (this.#challenges.size < MAX_CHALLENGES) break;
      this.#challenges.delete(known);
    }
    this.#challenges.set(token, { answer, at });
  }

  claim(claim: Claim): void {
    this.#claims.set(claim.edge, { claim, over: false });
    this.onChange(`claim ${claim.edge}`);
  }

  /** This edge has ordered, or failed to. */
  endClaim(edge: string): void {
    const known = this.#claims.get(edge);
    if (!known) return;
    this.#claims.set(edge, { ...known, over: true });
    this.onChange(`claim ${edge}`);
  }

  get claims(): Claim[] {
    return [...this.#claims.values()].filter(({ over }) => !over).map(({ claim }) => claim);
  }

  addWish(id: string): void {
    this.#wish = { id, at: this.#now(), over: false };
    this.onChange('wish');
  }

  /** An order was placed, here. */
  endWish(): void {
    if (!this.#wish || this.#wish.over) return;
    this.#wish = { ...this.#wish, over: true };
    this.onChange('wish');
  }

  /** The id of the wish that stands. */
  get wish(): string | undefined {
    const known = this.#wish;
    return known && !known.over && Math.abs(this.#now() - known.at) < WISH_MS ? known.id : undefined;
  }

  addOrder(id: string, at: number): void {
    this.#putOrder(id, at);
    this.onChange(`order ${id}`);
  }

  /** Orders that are older than a week do not count any more. */
  #putOrder(id: string, at: number): void {
    for (const [known, began] of this.#orders)
      if (recentOrders([began], this.#now()).length === 0) this.#orders.delete(known);
    if (this.#orders.size < MAX_KNOWN_ORDERS) this.#orders.set(id, at);
  }

  /** The starts of the orders of the last week. */
  get orders(): number[] {
    return this.knownOrders.map(({ at }) => at);
  }

  get knownOrders(): KnownOrder[] {
    const now = this.#now();
    // Of a clock that was ahead: they count as of now, and from now on they grow old.
    for (const [id, at] of this.#orders) if (at > now) this.#orders.set(id, now);
    return [...this.#orders].flatMap(([id, at]) => (recentOrders([at], now).length > 0 ? [{ id, at }] : []));
  }

  /** The entry of a key of `onChange`; undefined: it was dropped. */
  entry(key: string): AcmeEntry | undefined {
    const [kind, id = ''] = key.split(' ');
    if (kind === 'certificate') return this.#pair && { kind, pair: this.#pair };
    if (kind === 'wish') return this.#wish && { kind, ...this.#wish };
    if (kind === 'challenge') {
      const known = this.#challenges.get(id);
      return known && { kind, token: id, ...known };
    }
    if (kind === 'claim') {
      const known = this.#claims.get(id);
      return known && { kind, ...known };
    }
    const at = this.#orders.get(id);
    return at === undefined ? undefined : { kind: 'order', id, at };
  }

  /** Merges what another edge tells. @returns how many entries were new */
  merge(entries: readonly AcmeEntry[]): number {
    const news = entries.filter((entry) => this.#mergeOne(entry)).length;
    if (news > 0) this.onNews();
    return news;
  }

  #mergeOne(entry: AcmeEntry): boolean {
    if (entry.kind === 'certificate') return this.takeCertificate(entry.pair);
    if (entry.kind === 'wish') return this.#mergeWish(entry);
    if (entry.kind === 'challenge') {
      if (this.#challenges.has(entry.token)) return false;
      this.#putChallenge(entry.token, entry.answer, entry.at);
      return true;
    }
    if (entry.kind === 'order') {
      if (this.#orders.has(entry.id)) return false;
      this.#putOrder(entry.id, entry.at);
      return this.#orders.has(entry.id);
    }
    const { claim, over } = entry;
    const known = this.#claims.get(claim.edge);
    if (known && known.over === over && known.claim.ordering === claim.ordering && known.claim.at >= claim.at)
      return false;
    for (const [edge, one] of this.#claims) if (one.claim.at < this.#now() - 2 * CLAIM_MS) this.#claims.delete(edge);
    if (!known && this.#claims.size >= MAX_CLAIMS) return false;
    this.#claims.set(claim.edge, { claim, over });
    return true;
  }

  #mergeWish({ id, at, over }: Wish): boolean {
    const known = this.#wish;
    if (known?.id === id ? known.over || !over : known && known.at >= at) return false;
    this.#wish = { id, at, over };
    return true;
  }
}

/** Whether a certificate has this name itself; a wildcard counts only for itself. */
function hasName(leaf: X509Certificate, name: string): boolean {
  if (name.startsWith('*.')) return (leaf.subjectAltName ?? '').split(', ').includes(`DNS:${name}`);
  return leaf.checkHost(name, { subject: 'never' }) !== undefined;
}
