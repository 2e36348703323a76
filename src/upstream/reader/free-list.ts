/** Unused buffers of one size. All returned buffers are kept until `trim`. */
export class FreeList {
  readonly #bytes: number;
  readonly #free: Buffer[] = [];

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
    return this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.#bytes));
  }

  push(buffer: Buffer): void {
    this.#free.push(buffer);
  }

  /** Drops all buffers but `keep` bytes. */
  trim(keep: number): void {
    this.#free.splice(0, Math.max(0, this.#free.length - Math.ceil(keep / this.#bytes)));
  }
}
