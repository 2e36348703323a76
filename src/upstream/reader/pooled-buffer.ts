import { Chunk } from '../body/body-source.ts';

/** A buffer of the pool while somebody uses it: who fills it, and every chunk that was cut from it. The last one gives it back. */
export class BufferLoan {
  /** Over a SharedArrayBuffer, so that a worker can read it without a copy. */
  readonly memory: Buffer;
  readonly #giveBack: () => void;
  #uses = 1;
  readonly #release = (): void => {
    this.#uses -= 1;
    if (this.#uses === 0) this.#giveBack();
  };

  constructor(memory: Buffer, giveBack: () => void) {
    this.memory = memory;
    this.#giveBack = giveBack;
  }

  /** The bytes from one offset up to another, as a further use. */
  cut(from: number, to: number): Chunk {
    this.#uses += 1;
    return new Chunk(this.memory.subarray(from, to), this.#release);
  }

  /** Ends the use of who fills it; once. */
  release(): void {
    this.#release();
  }
}
