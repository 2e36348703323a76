interface Waiter {
  client: string;
  start: () => void;
  refuse: () => void;
}

/**
 * A client that holds so many times as many places as are free gets no more. The last places are for others, who would
 * otherwise wait until a place is given back, which takes minutes if the client is slow.
 */
const HELD_PER_FREE = 7;

/**
 * Limits how many requests run at once. A bounded queue holds further ones. One client alone gets 7 of 8 places at most,
 * the next client 7 of 8 of the rest, and so on (rule 8). Of those who wait, the client with the fewest places is first.
 */
export class ConcurrencyLimit {
  readonly #limit: number;
  readonly #maxQueued: number;
  readonly #queue = new Set<Waiter>();
  /** Places by client. */
  readonly #held = new Map<string, number>();
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

  /** Whether every new request has to wait. */
  get full(): boolean {
    return this.#inUse >= this.#limit;
  }

  /** Whether a new request of this client has to wait. */
  isFullFor(client: string): boolean {
    const free = this.#limit - this.#inUse;
    return free <= 0 || this.#heldBy(client) >= free * HELD_PER_FREE;
  }

  /** Takes a place if there is one for the client. */
  tryAcquire(client: string): boolean {
    if (this.isFullFor(client)) return false;
    this.#held.set(client, this.#heldBy(client) + 1);
    this.#inUse += 1;
    return true;
  }

  /** Takes a place, waiting for one if need be. Resolves with false when the queue is full or the signal is aborted. */
  acquire(client: string, signal: AbortSignal): Promise<boolean> {
    if (this.tryAcquire(client)) return Promise.resolve(true);
    if (signal.aborted || !this.#makeRoom(client)) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (acquired: boolean) => {
        this.#queue.delete(waiter);
        signal.removeEventListener('abort', waiter.refuse);
        resolve(acquired);
      };
      const waiter = { client, start: () => settle(true), refuse: () => settle(false) };
      this.#queue.add(waiter);
      signal.addEventListener('abort', waiter.refuse, { once: true });
    });
  }

  /** Gives a place of the client back. */
  release(client: string): void {
    const left = this.#heldBy(client) - 1;
    if (left > 0) this.#held.set(client, left);
    else this.#held.delete(client);
    this.#inUse -= 1;
    for (let next = this.#next(); next && this.tryAcquire(next.client); next = this.#next()) next.start();
  }

  /** Of the clients with the fewest places, the request that has waited longest. */
  #next(): Waiter | undefined {
    let next: Waiter | undefined;
    for (const waiter of this.#queue)
      if (!next || this.#heldBy(waiter.client) < this.#heldBy(next.client)) next = waiter;
    return next;
  }

  /** In a full queue the client with the most requests gives one up, its newest. @returns whether one more may wait */
  #makeRoom(client: string): boolean {
    if (this.#queue.size < this.#maxQueued) return true;
    const waiting = Map.groupBy(this.#queue, (one) => one.client);
    const [most = []] = [...waiting.values()].sort((one, other) => other.length - one.length);
    if (most.length <= (waiting.get(client)?.length ?? 0) + 1) return false;
    most.at(-1)?.refuse();
    return true;
  }

  #heldBy(client: string): number {
    return this.#held.get(client) ?? 0;
  }
}
