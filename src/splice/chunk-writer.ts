import type { Chunk } from '../upstream/body/chunk.ts';
import type { Receiver } from './receiver.ts';

/** A receiver that gives every chunk back: one that left gives nothing back by itself, since Node's responses drop what they hold without a word. */
export class Outlet {
  readonly #receiver: Receiver;
  readonly #out = new Set<Chunk>();

  constructor(receiver: Receiver) {
    this.#receiver = receiver;
    // Nothing of what it holds is sent any more.
    receiver.gone.addEventListener('abort', () => this.#takeBack(), { once: true });
  }

  /** Takes the use of a chunk over. @returns false: it is full */
  send(chunk: Chunk, bytes: Buffer): boolean {
    this.#out.add(chunk);
    return this.#receiver.write(bytes, () => {
      if (this.#out.delete(chunk)) chunk.release();
    });
  }

  #takeBack(): void {
    const chunks = [...this.#out];
    this.#out.clear();
    for (const chunk of chunks) chunk.release();
  }
}
