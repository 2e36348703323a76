/**
 * Bytes of a body on loan. Who is handed one owns one use of it and calls `release` once when done with it; after the last release the
 * memory is somebody else's. Who needs it longer than who hands it on calls `retain` first.
 */
export class Chunk {
  readonly bytes: Buffer;
  readonly #onFree: (() => void) | undefined;
  #uses = 1;

  /** @param onFree called once, after the last release; undefined: the garbage collector takes it */
  constructor(bytes: Buffer, onFree?: () => void) {
    this.bytes = bytes;
    this.#onFree = onFree;
  }

  retain(): this {
    if (this.#uses === 0) throw new Error('a chunk was used after its release');
    this.#uses += 1;
    return this;
  }

  release(): void {
    if (this.#uses === 0) throw new Error('a chunk was released twice');
    this.#uses -= 1;
    if (this.#uses === 0) this.#onFree?.();
  }
}
