import NodeCache from 'node-cache';
import type { TagHistory } from '../failover/tag-history.ts';
import { DigestIndex } from './digest-index.ts';

const MAX_CHECK_SECONDS = 600;
/** One of so many goes when there is no room. */
const EVICTED_SHARE = 64;

/** Histories by key, bounded in number and time; when full, those that were set least recently go. */
export class TagStore {
  readonly counts = { evicted: 0, expired: 0 };
  readonly #cache: NodeCache;
  readonly #maxTags: number;
  readonly #keepMs: number;
  /** Keys, those first that were set least recently. node-cache knows no such order, and would throw when it is full. */
  readonly #order = new Set<string>();
  readonly #byDigest = new DigestIndex();

  /**
   * @param tags most histories
   * @param keep milliseconds after its newest time at which a history goes
   */
  constructor(tags: number, keep: number) {
    this.#maxTags = tags;
    this.#keepMs = keep;
    this.#cache = new NodeCache({
      useClones: false,
      checkperiod: Math.min(Math.ceil(keep / 1000), MAX_CHECK_SECONDS),
    });
    this.#cache.on('del', (key: string, history: TagHistory) => {
      this.#order.delete(key);
      this.#byDigest.move(key, currentDigest(history), null);
    });
    this.#cache.on('expired', () => {
      this.counts.expired += 1;
    });
  }

  get size(): number {
    return this.#order.size;
  }

  /** Whether one more pushes out no other. */
  get hasRoom(): boolean {
    return this.#order.size < this.#maxTags;
  }

  get(key: string): TagHistory | undefined {
    return this.#cache.get<TagHistory>(key);
  }

  /** False: it is too old to be kept. */
  set(key: string, history: TagHistory): boolean {
    const [newest] = history;
    // From the observation on, not from when it was learnt. To node-cache 0 would be for ever.
    const left = newest === undefined ? 0 : newest.confirmedAt + this.#keepMs - Date.now();
    if (left <= 0) return false;
    this.#byDigest.move(key, currentDigest(this.get(key)), currentDigest(history));
    this.#cache.set(key, history, left / 1000);
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
    this.#cache.close();
  }

  /** Several at once: to find the first key of a set whose first ones were deleted takes as long as there were such. */
  #evict(): void {
    const left = this.#maxTags - Math.floor(this.#maxTags / EVICTED_SHARE);
    for (const oldest of this.#order) {
      if (this.#order.size <= left) return;
      this.counts.evicted += 1;
      this.delete(oldest);
    }
  }
}

function currentDigest(history: TagHistory | undefined): string | null {
  return history?.[0]?.digest ?? null;
}
