import type { Chunk } from '../upstream/body/body-source.ts';

/** Bytes that whoever goes on has to show again. */
export const OVERLAP = 65_536;

/**
 * The last bytes that were sent of a body. A chunk that is long enough is kept as it is; shorter ones are copied, so that no more than
 * one chunk's memory is held.
 */
export class Tail {
  /** Place in the blob just after the last byte. */
  #end: number;
  #kept: Chunk | undefined;
  /** The last bytes, in the kept chunk's memory or in `#copy`. */
  #bytes: Buffer = Buffer.alloc(0);
  #copy: Buffer | undefined;
  /** Bytes of `#copy` that are filled. */
  #filled = 0;

  /** @param start place in the blob of the first byte that will be sent */
  constructor(start: number) {
    this.#end = start;
  }

  get end(): number {
    return this.#end;
  }

  get start(): number {
    return this.#end - this.#bytes.length;
  }

  /** @param bytes of the chunk that were sent */
  push(chunk: Chunk, bytes: Buffer): void {
    this.#end += bytes.length;
    if (bytes.length >= OVERLAP) {
      chunk.retain();
      this.#kept?.release();
      this.#kept = chunk;
      this.#bytes = bytes.subarray(bytes.length - OVERLAP);
      return;
    }
    this.#copyIn(bytes);
  }

  /** Whether bytes that begin at this place are those that were sent there; places before the tail are not known, and pass. */
  agrees(bytes: Buffer, place: number): boolean {
    const from = Math.max(place, this.start);
    const to = Math.min(place + bytes.length, this.#end);
    if (from >= to) return true;
    const sent = this.#bytes.subarray(from - this.start, to - this.start);
    return sent.equals(bytes.subarray(from - place, to - place));
  }

  release(): void {
    this.#kept?.release();
    this.#kept = undefined;
    this.#bytes = Buffer.alloc(0);
  }

  /** Twice the overlap is room enough to move it down only once in a while. */
  #copyIn(bytes: Buffer): void {
    this.#copy ??= Buffer.allocUnsafe(2 * OVERLAP);
    const copy = this.#copy;
    if (this.#kept) {
      this.#filled = this.#bytes.copy(copy, 0);
      this.#kept.release();
      this.#kept = undefined;
    }
    if (this.#filled + bytes.length > copy.length) {
      copy.copyWithin(0, this.#filled - OVERLAP, this.#filled);
      this.#filled = OVERLAP;
    }
    this.#filled += bytes.copy(copy, this.#filled);
    this.#bytes = copy.subarray(Math.max(0, this.#filled - OVERLAP), this.#filled);
  }
}
