import type { Chunk } from '../upstream/body/body-source.ts';

/** Bytes already sent that the next upstream must repeat before its body is used. */
export const OVERLAP_BYTES = 65_536;

/**
 * The last `OVERLAP_BYTES` bytes sent of a body. A chunk of that length or more is kept as it is. Shorter chunks are
 * copied, so that the window never holds the memory of more than one chunk.
 */
export class OverlapWindow {
  /** Offset in the blob just after the last byte sent. */
  #end: number;
  #chunk: Chunk | undefined;
  /** The last bytes sent, in the memory of `#chunk` or of `#copy`. */
  #bytes: Buffer = Buffer.alloc(0);
  #copy: Buffer | undefined;
  /** Bytes of `#copy` in use. */
  #filled = 0;

  /** @param start offset in the blob of the first byte to be sent */
  constructor(start: number) {
    this.#end = start;
  }

  get start(): number {
    return this.#end - this.#bytes.length;
  }

  /** @param bytes the part of the chunk that was sent */
  push(chunk: Chunk, bytes: Buffer): void {
    this.#end += bytes.length;
    if (bytes.length >= OVERLAP_BYTES) {
      chunk.retain();
      this.#chunk?.release();
      this.#chunk = chunk;
      this.#bytes = bytes.subarray(bytes.length - OVERLAP_BYTES);
      return;
    }
    this.#copyBytes(bytes);
  }

  /**
   * Whether `bytes`, which begin at `offset`, equal the bytes sent there. Bytes before or after the window are not
   * compared.
   */
  matches(bytes: Buffer, offset: number): boolean {
    const from = Math.max(offset, this.start);
    const to = Math.min(offset + bytes.length, this.#end);
    if (from >= to) return true;
    const sent = this.#bytes.subarray(from - this.start, to - this.start);
    return sent.equals(bytes.subarray(from - offset, to - offset));
  }

  release(): void {
    this.#chunk?.release();
    this.#chunk = undefined;
    this.#bytes = Buffer.alloc(0);
  }

  /** `#copy` has room for two windows, so that the bytes move to its front only once per window. */
  #copyBytes(bytes: Buffer): void {
    this.#copy ??= Buffer.allocUnsafe(2 * OVERLAP_BYTES);
    const copy = this.#copy;
    if (this.#chunk) {
      this.#filled = this.#bytes.copy(copy, 0);
      this.#chunk.release();
      this.#chunk = undefined;
    }
    if (this.#filled + bytes.length > copy.length) {
      copy.copyWithin(0, this.#filled - OVERLAP_BYTES, this.#filled);
      this.#filled = OVERLAP_BYTES;
    }
    this.#filled += bytes.copy(copy, this.#filled);
    this.#bytes = copy.subarray(Math.max(0, this.#filled - OVERLAP_BYTES), this.#filled);
  }
}
