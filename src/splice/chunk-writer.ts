import type { Chunk } from '../upstream/body/body-source.ts';

/** Who takes the body: a client's response. */
export interface Receiver {
  /**
   * @param done called when the bytes' memory is free again, or, once `gone` is aborted, perhaps never
   * @returns false: it is full until `onRoom` is called
   */
  write(bytes: Buffer, done: () => void): boolean;
  onRoom: () => void;
  /** Aborted when it leaves; its reason is what the transfer then rejects with. */
  readonly gone: AbortSignal;
}

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
