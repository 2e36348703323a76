import NodeCache from 'node-cache';
import { monotonicNow } from '../clock/clock.ts';
import type { TagHistory } from '../failover/tag-history.ts';
import { inBackground } from '../http/background.ts';
import { DigestIndex } from './digest-index.ts';

const MAX_CHECK_MS = 600_000;
/** A full store drops one of so many histories at once. */
const EVICTED_SHARE = 64;

/** Histories by key, bounded in number and time. A full store drops the oldest updates. */
export class TagStore {
  /** Histories that were dropped to make room. */
  evicted = 0;
  readonly #cache: NodeCache;
  readonly #maxTags: number;
  readonly #keepMs: number;
  readonly #now: () => number;
  readonly #check: NodeJS.Timeout;
  /** Keys, the oldest update first. node-cache has no such order, and throws when it is full. */
  readonly #order = new Set<string>();
  readonly #byDigest = new DigestIndex();

  /**
   * @param maxTags most histories
   * @param keepMs milliseconds after its newest time for which a history is kept
   */
  constructor(maxTags: number, keepMs: number, now: () => number = monotonicNow) {
    this.#maxTags = maxTags;
    this.#keepMs = keepMs;
    this.#now = now;
    // node-cache would count its times to live by the host's clock, which may be set (rule 12).
    this.#cache = new NodeCache({ useClones: false, stdTTL: 0, checkperiod: 0 });
    this.#check = setInterval(
      inBackground('ledger', () => this.#dropOld()),
      Math.min(keepMs, MAX_CHECK_MS),
    ).unref();
    this.#cache.on('del', (key: string, history: TagHistory) => {
      this.#order.delete(key);
      this.#byDigest.move(key, currentDigest(history), null);
    });
  }

  get size(): number {
    return this.#order.size;
  }

  /** Whether one more history fits without dropping another. */
  get hasRoom(): boolean {
    return this.#order.size < this.#maxTags;
  }

  get(key: string): TagHistory | undefined {
    const history = this.#cache.get<TagHistory>(key);
    if (history === undefined || this.#isKept(history)) return history;
    this.delete(key);
    return undefined;
  }

  /** False: the history is too old to be kept. */
  set(key: string, history: TagHistory): boolean {
    if (!this.#isKept(history)) return false;
    this.#byDigest.move(key, currentDigest(this.get(key)), currentDigest(history));
    this.#cache.set(key, history);
    this.#order.delete(key);
    this.#order.add(key);
    if (this.#order.size > this.#maxTags) this.#evict();
    return true;
  }

  delete(key: string): void {
    this.#cache.del(key);
  }

  keys(): string[] {
    return [...this.#order];
  }

  /** Keys of the tags of a repository whose newest state is this digest. */
  keysAt(upstream: string, repository: string, digest: string): string[] {
    return this.#byDigest.keysAt(upstream, repository, digest).filter((key) => this.get(key) !== undefined);
  }

  close(): void {
    clearInterval(this.#check);
    this.#cache.close();
  }

  /** The time counts from the newest observation, not from its arrival here. */
  #isKept([newest]: TagHistory): boolean {
    return newest !== undefined && this.#now() - newest.confirmedAt < this.#keepMs;
  }

  #dropOld(): void {
    for (const key of this.#order) this.get(key);
  }

  /** Drops several at once, because finding the first key of a set takes time for every key that was deleted before it. */
  #evict(): void {
    const left = this.#maxTags - Math.floor(this.#maxTags / EVICTED_SHARE);
    for (const oldest of this.#order) {
      if (this.#order.size <= left) return;
      this.evicted += 1;
      this.delete(oldest);
    }
  }
}

function currentDigest(history: TagHistory | undefined): string | null {
  return history?.[0]?.digest ?? null;
}
