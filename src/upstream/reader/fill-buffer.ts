import type { Chunk } from '../body/body-source.ts';
import type { BufferPool, BufferSize } from './buffer-pool.ts';
import type { BufferLoan } from './pooled-buffer.ts';

/** The buffer that a body is being read into: what of it is filled, and what of that was cut off as chunks. */
export class Intake {
  readonly #pool: BufferPool;
  #loan: BufferLoan | undefined;
  #target: Buffer | undefined;
  #from = 0;
  #to = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Bytes that were taken in and not cut yet. */
  get gathered(): number {
    return this.#to - this.#from;
  }

  /** Bytes that there is place for. */
  get room(): number {
    return this.#loan === undefined ? 0 : this.#loan.memory.length - this.#to;
  }

  /** Bytes of the buffer, filled or not. */
  get size(): number {
    return this.#loan?.memory.length ?? 0;
  }

  /** Whether there is a buffer with room, if need be a new one; false while the pool gives none. */
  prepare(size: BufferSize): boolean {
    if (this.#loan !== undefined && this.room > 0) return true;
    const loan = this.#pool.take(size);
    if (loan === undefined) return false;
    this.#use(loan);
    return true;
  }

  /** Where a socket may write next; undefined without room. */
  target(): Buffer | undefined {
    if (this.#loan === undefined || this.room === 0) return undefined;
    this.#target ??= this.#loan.memory.subarray(this.#to);
    return this.#target;
  }

  /**
   * Takes in what a socket wrote: in place if it wrote at `target`, else by copying, into memory beyond the pool's bound if it must be.
   * @param full takes the chunk of a buffer that is full up
   */
  add(bytes: Uint8Array, count: number, full: (chunk: Chunk) => void): void {
    if (bytes === this.#target) {
      this.#to += count;
      this.#target = undefined;
      return;
    }
    for (let done = 0; done < count; ) {
      if (this.room === 0) this.#next(full);
      const part = bytes.subarray(done, Math.min(count, done + this.room));
      this.#loan?.memory.set(part, this.#to);
      this.#to += part.length;
      done += part.length;
    }
    this.#target = undefined;
  }

  /** Goes on in another buffer, taking what was gathered along by copying; false while the pool gives none. */
  roll(size: BufferSize): boolean {
    const loan = this.#pool.take(size);
    if (loan === undefined) return false;
    const gathered = this.#loan?.memory.subarray(this.#from, this.#to);
    if (gathered !== undefined) loan.memory.set(gathered);
    this.#use(loan);
    this.#to = gathered?.length ?? 0;
    return true;
  }

  /** What was gathered; undefined if that is nothing. */
  cut(): Chunk | undefined {
    if (this.#loan === undefined || this.gathered === 0) return undefined;
    const chunk = this.#loan.cut(this.#from, this.#to);
    this.#from = this.#to;
    return chunk;
  }

  /** Gives the buffer back, as far as no chunk is made of it. The socket must be given another target before it reads. */
  drop(): void {
    this.#loan?.release();
    this.#loan = undefined;
    this.#target = undefined;
    this.#from = 0;
    this.#to = 0;
  }

  #next(full: (chunk: Chunk) => void): void {
    const chunk = this.cut();
    if (chunk) full(chunk);
    this.#use(this.#pool.takeAnyway('small'));
  }

  #use(loan: BufferLoan): void {
    this.drop();
    this.#loan = loan;
  }
}
