interface Batch<T> {
  items: readonly T[];
  /** Index of the next item. */
  at: number;
  /** Items that are not done yet. */
  left: number;
  resolve: () => void;
}

/** Runs thousands of waiting items with limited concurrency. Only the items wait: a queue of functions takes some kilobytes for each. */
export class WorkList<T> {
  readonly #concurrency: number;
  readonly #work: (item: T) => Promise<void>;
  readonly #batches: Batch<T>[] = [];
  #running = 0;
  #waiting = 0;
  #waitForRoom: (() => void)[] = [];

  /** @param work never rejects */
  constructor(concurrency: number, work: (item: T) => Promise<void>) {
    this.#concurrency = concurrency;
    this.#work = work;
  }

  /** Resolves when all these items are done; they run in order. */
  async runAll(items: readonly T[]): Promise<void> {
    if (items.length === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#batches.push({ items, at: 0, left: items.length, resolve });
    this.#waiting += items.length;
    this.#startNext();
    await promise;
  }

  /** Resolves when fewer than `most` items wait. */
  async waitForRoom(most: number): Promise<void> {
    while (this.#waiting >= most) await new Promise<void>((resolve) => this.#waitForRoom.push(resolve));
  }

  #startNext(): void {
    while (this.#running < this.#concurrency) {
      const batch = this.#batches[0];
      if (!batch) return;
      const item = batch.items[batch.at] as T;
      batch.at += 1;
      if (batch.at === batch.items.length) this.#batches.shift();
      this.#waiting -= 1;
      this.#running += 1;
      void this.#work(item).then(() => this.#done(batch));
    }
  }

  #done(batch: Batch<T>): void {
    this.#running -= 1;
    batch.left -= 1;
    if (batch.left === 0) batch.resolve();
    for (const look of this.#waitForRoom.splice(0)) look();
    this.#startNext();
  }
}
