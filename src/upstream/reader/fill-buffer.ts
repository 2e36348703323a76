import type { Chunk } from '../body/body-source.ts';
import type { BufferPool, BufferSize } from './buffer-pool.ts';

/** The buffer that a body is being read into: its filled part, and the part of that already handed over as chunks. */
export class FillBuffer {
  readonly #pool: BufferPool;
  #buffer: Chunk | undefined;
  #target: Buffer | undefined;
  #cutEnd = 0;
  #filledEnd = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Filled bytes that are not part of a chunk yet. */
  get pendingBytes(): number {
    return this.#filledEnd - this.#cutEnd;
  }

  /** Bytes that still fit. */
  get freeBytes(): number {
    return this.#buffer === undefined ? 0 : this.#buffer.bytes.length - this.#filledEnd;
  }

  /** Size of the buffer in bytes, filled or not. */
  get capacity(): number {
    return this.#buffer?.bytes.length ?? 0;
  }

  /** Makes sure that bytes fit, in a new buffer if need be. @returns false while the pool has no memory */
  ensureRoom(size: BufferSize): boolean {
    if (this.#buffer !== undefined && this.freeBytes > 0) return true;
    const buffer = this.#pool.acquire(size);
    if (buffer === undefined) return false;
    this.#use(buffer);
    return true;
  }

  /** Where a socket may write next; undefined when no byte fits. */
  target(): Buffer | undefined {
    if (this.#buffer === undefined || this.freeBytes === 0) return undefined;
    this.#target ??= this.#buffer.bytes.subarray(this.#filledEnd);
    return this.#target;
  }

  /**
   * Takes bytes from a socket: in place if they were written at `target`, else by copying. Copies may exceed the pool's
   * maximum.
   * @param onFullChunk takes the chunk of a buffer that is full
   */
  add(bytes: Uint8Array, count: number, onFullChunk: (chunk: Chunk) => void): void {
    if (bytes === this.#target) {
      this.#filledEnd += count;
      this.#target = undefined;
      return;
    }
    for (let done = 0; done < count; ) {
      if (this.freeBytes === 0) this.#nextBuffer(onFullChunk);
      const part = bytes.subarray(done, Math.min(count, done + this.freeBytes));
      this.#buffer?.bytes.set(part, this.#filledEnd);
      this.#filledEnd += part.length;
      done += part.length;
    }
    this.#target = undefined;
  }

  /** Continues in a new buffer and copies the pending bytes there. @returns false while the pool has no memory */
  moveToNewBuffer(size: BufferSize): boolean {
    const buffer = this.#pool.acquire(size);
    if (buffer === undefined) return false;
    const pending = this.#buffer?.bytes.subarray(this.#cutEnd, this.#filledEnd);
    if (pending !== undefined) buffer.bytes.set(pending);
    this.#use(buffer);
    this.#filledEnd = pending?.length ?? 0;
    return true;
  }

  /** The pending bytes as a chunk; undefined when there are none. */
  takeChunk(): Chunk | undefined {
    if (this.#buffer === undefined || this.pendingBytes === 0) return undefined;
    const chunk = this.#buffer.part(this.#cutEnd, this.#filledEnd);
    this.#cutEnd = this.#filledEnd;
    return chunk;
  }

  /** Releases the buffer; chunks made of it keep their memory. The socket needs another target before it reads. */
  release(): void {
    this.#buffer?.release();
    this.#buffer = undefined;
    this.#target = undefined;
    this.#cutEnd = 0;
    this.#filledEnd = 0;
  }

  #nextBuffer(onFullChunk: (chunk: Chunk) => void): void {
    const chunk = this.takeChunk();
    if (chunk) onFullChunk(chunk);
    this.#use(this.#pool.acquireBeyondMax('small'));
  }

  #use(buffer: Chunk): void {
    this.release();
    this.#buffer = buffer;
  }
}
