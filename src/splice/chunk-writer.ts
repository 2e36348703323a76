import type { Chunk } from '../upstream/body/body-source.ts';

/** The destination of a body, such as a client's response. */
export interface Sink {
  /**
   * @param done called when the sink no longer needs the bytes' memory; perhaps never once `closed` is aborted
   * @returns false when the sink is full, until `onDrain` is called
   */
  write(bytes: Buffer, done: () => void): boolean;
  onDrain: () => void;
  /** Aborted when the destination goes away. The transfer then rejects with its reason. */
  readonly closed: AbortSignal;
}

/**
 * Writes chunks to a sink and releases each chunk exactly once. The writer itself releases the chunks of a closed sink:
 * Node drops the pending writes of a closed response without calling back.
 */
export class ChunkWriter {
  readonly #sink: Sink;
  readonly #unsent = new Set<Chunk>();

  constructor(sink: Sink) {
    this.#sink = sink;
    sink.closed.addEventListener('abort', () => this.#releaseAll(), { once: true });
  }

  /** Takes over the caller's reference to the chunk. @returns false when the sink is full */
  write(chunk: Chunk, bytes: Buffer): boolean {
    this.#unsent.add(chunk);
    return this.#sink.write(bytes, () => {
      if (this.#unsent.delete(chunk)) chunk.release();
    });
  }

  #releaseAll(): void {
    const chunks = [...this.#unsent];
    this.#unsent.clear();
    for (const chunk of chunks) chunk.release();
  }
}
