/** Bytes that were given up and that the garbage collector has not taken yet, of all shelves. */
let stranded = 0;

const collected = new FinalizationRegistry<number>((bytes) => {
  stranded -= bytes;
});

/**
 * V8 does not count shared memory when it decides whether to collect garbage: what is given up may stay for long, and what is made anew
 * comes on top of it. So little is given up before the last of it is gone.
 */
const MAX_STRANDED = 33_554_432;

/** Buffers of one size that nobody uses. All that come back are kept; those that were not needed for long are given up. */
export class BufferShelf {
  readonly #bytes: number;
  readonly #free: Buffer[] = [];
  /** Fewest that lay there since the last look: so many are too many. */
  #spare = 0;

  /** @param bytes of each buffer */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Bytes that lie ready. */
  get kept(): number {
    return this.#free.length * this.#bytes;
  }

  /** The last one that came back, whose bytes are still in the processor's cache; or a new one. */
  take(): Buffer {
    const buffer = this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.#bytes));
    this.#spare = Math.min(this.#spare, this.#free.length);
    return buffer;
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
  }

  /**
   * Gives up what was not needed since the last call.
   * @param keep bytes that stay
   */
  trim(keep: number): void {
    const surplus = Math.min(this.#spare, this.#free.length - Math.ceil(keep / this.#bytes));
    for (const buffer of this.#free.splice(0, Math.max(0, surplus))) {
      if (stranded + this.#bytes > MAX_STRANDED) {
        this.#free.unshift(buffer);
        continue;
      }
      stranded += this.#bytes;
      collected.register(buffer.buffer, this.#bytes);
    }
    this.#spare = this.#free.length;
  }
}
