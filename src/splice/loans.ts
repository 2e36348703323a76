import type { Chunk } from '../upstream/chunk.ts';

/** The chunks that a receiver has not given back yet. One that left gives nothing back: Node's responses drop what they hold without a word. */
export class Loans {
  readonly #out = new Set<Chunk>();

  /** @param gone aborted when the receiver leaves, and nothing of what it holds is sent any more */
  constructor(gone: AbortSignal) {
    gone.addEventListener('abort', () => this.#takeBack(), { once: true });
  }

  /** Takes the use of a chunk over. @returns gives it back */
  lend(chunk: Chunk): () => void {
    this.#out.add(chunk);
    return () => {
      if (this.#out.delete(chunk)) chunk.release();
    };
  }

  #takeBack(): void {
    const chunks = [...this.#out];
    this.#out.clear();
    for (const chunk of chunks) chunk.release();
  }
}
