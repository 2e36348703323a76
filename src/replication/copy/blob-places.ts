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

/**
 * Places for transfers of blobs. The image with the fewest transfers is next. A transfer that lasts keeps its place, but an
 * image without any transfer gets a place beside it. So blobs that hang, or are huge, delay no other image (rule 8).
 */
export class BlobPlaces {
  readonly #places: number;
  readonly #now: () => number;
  readonly #holders = new Set<Holder>();
  readonly #waiting = new Set<Waiter>();
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
      this.#startNext();
    }
  }

  /** Starts what may start. */
  #startNext(): void {
    clearTimeout(this.#timer);
    for (let next = this.#next(); next; next = this.#next()) {
      const holder = { owner: next.owner, since: this.#now() };
      this.#waiting.delete(next);
      this.#holders.add(holder);
      next.start(holder);
    }
    if (this.#waiting.size > 0)
      this.#timer = setTimeout(
        inBackground('copy', () => this.#startNext()),
        SHORT_MS,
      ).unref();
  }

  #next(): Waiter | undefined {
    const now = this.#now();
    const recent = [...this.#holders].filter(({ since }) => now - since < SHORT_MS).length;
    if (recent >= this.#places) return undefined;
    const transfers = new Map<object, number>();
    for (const { owner } of this.#holders) transfers.set(owner, (transfers.get(owner) ?? 0) + 1);
    const of = ({ owner }: Waiter) => transfers.get(owner) ?? 0;
    let next: Waiter | undefined;
    for (const waiter of this.#waiting) if (!next || of(waiter) < of(next)) next = waiter;
    return next && (this.#holders.size < this.#places || of(next) === 0) ? next : undefined;
  }
}
