import { LRUCache } from 'lru-cache';

const MAX_KEYS = 10_000;
const MAX_FAILURES = 10;
const FORGIVE_MS = 6000;

interface Bucket {
  failures: number;
  since: number;
}

/**
 * Limits wrong passwords. After too many failures of one address or user, every login with that address or user is refused until old
 * failures are forgiven. Memory is bounded for each kind of key (addresses, users, pairs), because an attacker can invent names.
 */
export class FailureLimit {
  /** The buckets by the first character of the key, which is its kind. */
  readonly #kinds = new Map<string, LRUCache<string, Bucket>>();
  readonly #max: number;
  readonly #forgiveMs: number;
  readonly #now: () => number;

  /**
   * @param max failures before logins are refused
   * @param forgiveMs milliseconds in which one failure is forgiven
   */
  constructor(max = MAX_FAILURES, forgiveMs = FORGIVE_MS, now: () => number = () => performance.now()) {
    this.#max = max;
    this.#forgiveMs = forgiveMs;
    this.#now = now;
  }

  /** Milliseconds until the next login may be tried; 0: now. */
  waitMs(keys: readonly string[]): number {
    const waits = keys.map((key) => (this.#level(key) - this.#max + 1) * this.#forgiveMs);
    return Math.max(0, ...waits);
  }

  recordFailures(keys: readonly string[]): void {
    for (const key of keys) {
      // The count has a ceiling, so that an attacker cannot extend the wait of others without end.
      const failures = Math.min(this.#level(key) + 1, 2 * this.#max);
      this.#bucketsLike(key).set(key, { failures, since: this.#now() });
    }
  }

  /** Removes a failure that was counted in advance. */
  forgive(keys: readonly string[]): void {
    for (const key of keys)
      this.#bucketsLike(key).set(key, { failures: Math.max(0, this.#level(key) - 1), since: this.#now() });
  }

  #bucketsLike(key: string): LRUCache<string, Bucket> {
    const kind = key.slice(0, 1);
    const known = this.#kinds.get(kind);
    if (known) return known;
    const fresh = new LRUCache<string, Bucket>({ maxSize: MAX_KEYS, sizeCalculation: () => 1 });
    this.#kinds.set(kind, fresh);
    return fresh;
  }

  /** Failures that are not forgiven yet. */
  #level(key: string): number {
    const bucket = this.#bucketsLike(key).get(key);
    return bucket ? Math.max(0, bucket.failures - Math.max(0, this.#now() - bucket.since) / this.#forgiveMs) : 0;
  }
}
