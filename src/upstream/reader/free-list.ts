/** Bytes of all free lists that were dropped and are not garbage-collected yet. */
let pendingGc = 0;

const collected = new FinalizationRegistry<number>((bytes) => {
  pendingGc -= bytes;
});

/**
 * V8 ignores shared memory when it decides whether to collect garbage, so dropped buffers may stay for long beside new
 * ones. Until they are gone, no more than this is dropped.
 */
const MAX_PENDING_GC = 33_554_432;

/** Unused buffers of one size. All returned buffers are kept; `trim` drops those that were not needed. */
export class FreeList {
  readonly #bytes: number;
  readonly #free: Buffer[] = [];
  /** The fewest free buffers since the last trim. So many were not needed. */
  #fewestFree = 0;

  /** @param bytes of each buffer */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Bytes ready for use. */
  get freeBytes(): number {
    return this.#free.length * this.#bytes;
  }

  /** The buffer returned last, whose bytes are still in the processor's cache; else a new one. */
  pop(): Buffer {
    const buffer = this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.#bytes));
    this.#fewestFree = Math.min(this.#fewestFree, this.#free.length);
    return buffer;
  }

  push(buffer: Buffer): void {
    this.#free.push(buffer);
  }

  /**
   * Drops the buffers not needed since the last call.
   * @param keep bytes to keep in any case
   */
  trim(keep: number): void {
    const surplus = Math.min(this.#fewestFree, this.#free.length - Math.ceil(keep / this.#bytes));
    for (const buffer of this.#free.splice(0, Math.max(0, surplus))) {
      if (pendingGc + this.#bytes > MAX_PENDING_GC) {
        this.#free.unshift(buffer);
        continue;
      }
      pendingGc += this.#bytes;
      collected.register(buffer.buffer, this.#bytes);
    }
    this.#fewestFree = this.#free.length;
  }
}
