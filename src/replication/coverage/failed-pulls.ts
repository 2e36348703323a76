import { monotonicNow } from '../../clock/clock.ts';

export interface FailedPullsOptions {
  /** Whether the coverage has the image as a gap. */
  isGap: (repository: string, reference: string) => boolean;
  /** Most images. Default 1000. */
  max?: number;
  now?: () => number;
}

const MAX_IMAGES = 1000;
/** Milliseconds between two looks at which of them are no gaps any more, while there is no room. */
const PRUNE_MS = 10_000;

/**
 * Which gaps are known from a failed pull only. While the push upstream is down, nothing tells whether it has an image: clients may ask for
 * any name. So there is a bound, and a client gets at most a quarter of it (rule 8).
 */
export class FailedPulls {
  readonly #isGap: FailedPullsOptions['isGap'];
  readonly #max: number;
  readonly #now: () => number;
  /** By client: repository and reference of each image. */
  readonly #images = new Map<string, Map<string, [repository: string, reference: string]>>();
  #size = 0;
  #prunedAt = Number.NEGATIVE_INFINITY;

  constructor({ isGap, max = MAX_IMAGES, now = monotonicNow }: FailedPullsOptions) {
    this.#isGap = isGap;
    this.#max = max;
    this.#now = now;
  }

  /** Takes an image that is no gap yet, if there is room. */
  take(client: string, repository: string, reference: string): boolean {
    if (this.#isGap(repository, reference)) return false;
    if (!this.#hasRoom(client)) this.#prune();
    if (!this.#hasRoom(client)) return false;
    const own = this.#images.get(client) ?? new Map();
    const key = `${repository}\n${reference}`;
    if (!own.has(key)) this.#size += 1;
    this.#images.set(client, own.set(key, [repository, reference]));
    return true;
  }

  #hasRoom(client: string): boolean {
    return this.#size < this.#max && (this.#images.get(client)?.size ?? 0) < this.#max / 4;
  }

  #prune(): void {
    const now = this.#now();
    if (now - this.#prunedAt < PRUNE_MS) return;
    this.#prunedAt = now;
    for (const [client, own] of this.#images) {
      for (const [key, image] of own) if (!this.#isGap(...image) && own.delete(key)) this.#size -= 1;
      if (own.size === 0) this.#images.delete(client);
    }
  }
}
