/** Limits how many requests run at once. A bounded queue holds further ones, first come, first served. */
export class ConcurrencyLimit {
  readonly #limit: number;
  readonly #maxQueued: number;
  readonly #queue = new Set<() => void>();
  #inUse = 0;

  /**
   * @param limit requests at once
   * @param maxQueued requests that may wait
   */
  constructor(limit: number, maxQueued: number) {
    this.#limit = limit;
    this.#maxQueued = maxQueued;
  }

  get inUse(): number {
    return this.#inUse;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /** Whether a new request has to wait. */
  get full(): boolean {
    return this.#inUse >= this.#limit;
  }

  /** Takes a slot if one is free. */
  tryAcquire(): boolean {
    if (this.full) return false;
    this.#inUse += 1;
    return true;
  }

  /** Takes a slot, waiting for one if need be. Resolves with false when the queue is full or the signal is aborted. */
  acquire(signal: AbortSignal): Promise<boolean> {
    if (this.tryAcquire()) return Promise.resolve(true);
    if (this.#queue.size >= this.#maxQueued || signal.aborted) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (acquired: boolean) => {
        this.#queue.delete(onSlot);
        signal.removeEventListener('abort', onAbort);
        resolve(acquired);
      };
      const onSlot = () => settle(true);
      const onAbort = () => settle(false);
      this.#queue.add(onSlot);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Gives a slot back; the request that has waited longest gets the slot. */
  release(): void {
    const [first] = this.#queue;
    if (first) first();
    else this.#inUse -= 1;
  }
}
