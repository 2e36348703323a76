import { Chunk } from '../body/body-source.ts';

/**
 * A buffer of the pool in use, with counted references: one by its writer, and one by each chunk made of it. The last
 * release returns the buffer to the pool.
 */
export class PooledBuffer {
  /** Over a SharedArrayBuffer, so that a worker thread can read the bytes without a copy. */
  readonly memory: Buffer;
  readonly #onUnused: () => void;
  #references = 1;
  readonly #release = (): void => {
    this.#references -= 1;
    if (this.#references === 0) this.#onUnused();
  };

  constructor(memory: Buffer, onUnused: () => void) {
    this.memory = memory;
    this.#onUnused = onUnused;
  }

  /** A chunk over the bytes from offset `from` up to offset `to`, which holds a reference of its own. */
  chunk(from: number, to: number): Chunk {
    this.#references += 1;
    return new Chunk(this.memory.subarray(from, to), this.#release);
  }

  /** Releases the writer's reference; to be called once. */
  release(): void {
    this.#release();
  }
}
