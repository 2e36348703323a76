import { LRUCache } from 'lru-cache';

const MAX_KEYS = 10_000;
const MAX_FAILURES = 10;
const FORGIVE_MS = 6000;

interface Bucket {
  failures: number;
  since: number;
}

/**
 * Slows down who tries passwords: after so many failures of one address, or for one user, everything of theirs is refused until enough
 * of them are old. Bounded: beyond so many of one kind (addresses, users, pairs of them) those that were seen least recently are forgotten,
 * of each kind apart, since whoever is refused can still make up names.
 */
export class FailureLimit {
  /** By what keys begin with, which is what they are of. */
  readonly #kinds = new Map<string, LRUCache<string, Bucket>>();
  readonly #max: number;
  readonly #forgiveMs: number;
  readonly #now: () => number;

  /**
   * @param max failures at once
   * @param perMs milliseconds in which one failure is forgiven
   */
  constructor(max = MAX_FAILURES, perMs = FORGIVE_MS, now: () => number = () => performance.now()) {
    this.#max = max;
    this.#forgiveMs = perMs;
    this.#now = now;
  }

  /** Milliseconds until it may be tried again; 0: now. */
  waitMs(keys: readonly string[]): number {
    const waits = keys.map((key) => (this.#level(key) - this.#max + 1) * this.#forgiveMs);
    return Math.max(0, ...waits);
  }

  recordFailures(keys: readonly string[]): void {
    for (const key of keys) {
      // Bounded, so that nobody can make it wait for longer than that by going on.
      const failures = Math.min(this.#level(key) + 1, 2 * this.#max);
      this.#bucketsLike(key).set(key, { failures, since: this.#now() });
    }
  }

  /** What was counted as a failure before its outcome was known was none. */
  forgive(keys: readonly string[]): void {
    for (const key of keys)
      this.#bucketsLike(key).set(key, { failures: Math.max(0, this.#level(key) - 1), since: this.#now() });
  }

  #bucketsLike(key: string): LRUCache<string, Bucket> {
    const kind = key.slice(0, 1);
    const known = this.#kinds.get(kind);
    if (known) return known;
    const fresh = new LRUCache<string, Bucket>({ max: MAX_KEYS });
    this.#kinds.set(kind, fresh);
    return fresh;
  }

  /** Failures that are not forgiven yet. */
  #level(key: string): number {
    const bucket = this.#bucketsLike(key).get(key);
    return bucket ? Math.max(0, bucket.failures - Math.max(0, this.#now() - bucket.since) / this.#forgiveMs) : 0;
  }
}
