const SLICE = 64 * 1024;

/** Bytes of a blob, kept in the pieces in which they came, so that taking a large one in never needs its size twice. */
export class Bytes {
  readonly length: number;
  readonly #chunks: readonly Buffer[];

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks;
    this.length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** Bytes from `first` up to, and without, `end`, in slices of at most `size` bytes. Nothing is copied. */
  *slices(first = 0, end = this.length, size = SLICE): Generator<Buffer> {
    let offset = 0;
    for (const chunk of this.#chunks) {
      const last = Math.min(chunk.length, end - offset);
      for (let at = Math.max(0, first - offset); at < last; at += size)
        yield chunk.subarray(at, Math.min(at + size, last));
      offset += chunk.length;
      if (offset >= end) return;
    }
  }

  /** The same with the byte at `offset` inverted. */
  flipped(offset: number): Bytes {
    const before = [...this.slices(0, offset)];
    const flipped = [...this.slices(offset, offset + 1)].map((byte) => Buffer.from([~(byte[0] ?? 0) & 0xff]));
    return new Bytes([...before, ...flipped, ...this.slices(offset + 1)]);
  }

  /** The first `length` bytes, or all of them and zeros after them. */
  resized(length: number): Bytes {
    const kept = [...this.slices(0, length)];
    return new Bytes(length > this.length ? [...kept, Buffer.alloc(length - this.length)] : kept);
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
