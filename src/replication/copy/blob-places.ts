import { monotonicNow } from '../../clock/clock.ts';
import { inBackground } from '../../http/background.ts';

interface Holder {
  owner: object;
  since: number;
}

interface Waiter {
  owner: object;
  start: (holder: Holder) => void;
}

/** A transfer that has lasted longer than these milliseconds may hang, or be huge: other images do not wait for it. */
const SHORT_MS = 500;
/** One start in so many is that of the transfer that has waited longest, so that no image waits for ever. */
const OLDEST_EVERY = 4;

/**
 * Places for transfers of blobs. The image that has held places for the shortest time is next, so that it does not wait for
 * all blobs of images that came before. A transfer that lasts keeps its place, but an image without any transfer gets a place
 * beside it. So blobs that are many, slow or huge, or that hang, delay no other image (rule 8).
 */
export class BlobPlaces {
  readonly #places: number;
  readonly #now: () => number;
  readonly #holders = new Set<Holder>();
  readonly #waiting = new Set<Waiter>();
  /** Image -> milliseconds for which its transfers that are over held places. */
  readonly #held = new WeakMap<object, number>();
  #starts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(places: number, now: () => number = monotonicNow) {
    this.#places = places;
    this.#now = now;
  }

  /**
   * Runs `work` when there is a place.
   * @param owner the image
   * @throws the signal's reason while waiting; what `work` throws
   */
  async run<T>(owner: object, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Holder>();
    const waiter = { owner, start: resolve };
    const onAbort = () => {
      this.#waiting.delete(waiter);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(waiter);
    this.#startNext();
    const holder = await promise.finally(() => signal.removeEventListener('abort', onAbort));
    try {
      return await work();
    } finally {
      this.#holders.delete(holder);
      this.#held.set(owner, (this.#held.get(owner) ?? 0) + this.#now() - holder.since);
      this.#startNext();
    }
  }

  /** Starts what may start. While transfers wait, it looks again when the oldest short one has become long. */
  #startNext(): void {
    clearTimeout(this.#timer);
    for (let next = this.#next(); next; next = this.#next()) {
      const holder = { owner: next.owner, since: this.#now() };
      this.#waiting.delete(next);
      this.#holders.add(holder);
      this.#starts += 1;
      next.start(holder);
    }
    const [oldest] = this.#short();
    if (this.#waiting.size === 0 || !oldest) return;
    this.#timer = setTimeout(
      inBackground('copy', () => this.#startNext()),
      Math.ceil(oldest.since + SHORT_MS - this.#now()),
    ).unref();
  }

  /** Transfers that are not long yet, the oldest first. */
  #short(): Holder[] {
    const now = this.#now();
    return [...this.#holders].filter(({ since }) => now - since < SHORT_MS);
  }

  #next(): Waiter | undefined {
    if (this.#short().length >= this.#places) return undefined;
    const now = this.#now();
    const running = new Map<object, number>();
    for (const { owner, since } of this.#holders) running.set(owner, (running.get(owner) ?? 0) + now - since);
    const heldBy = ({ owner }: Waiter) => (this.#held.get(owner) ?? 0) + (running.get(owner) ?? 0);
    const hasRoom = this.#holders.size < this.#places;
    const takesOldest = this.#starts % OLDEST_EVERY === OLDEST_EVERY - 1;
    let next: Waiter | undefined;
    for (const waiter of this.#waiting) {
      if (!hasRoom && running.has(waiter.owner)) continue;
      if (!next || heldBy(waiter) < heldBy(next)) next = waiter;
      if (takesOldest) break;
    }
    return next;
  }
}
