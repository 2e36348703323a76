import type { UpstreamError } from '../upstream-error.ts';

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

/** Who takes a body. After `end`, `failed` or `BodySource.destroy` nothing is called any more. */
export interface BodySink {
  /** Takes the chunk over, and releases it. False: no more until `resume`. */
  data(chunk: Chunk): boolean;
  /** The body is whole: as long as its Content-Length said. */
  end(): void;
  /** It broke off: reset, short, or longer than announced. */
  failed(error: UpstreamError): void;
}

/** A body as it comes from an upstream. Nothing is read of it, beyond what came with its head, before `start`. */
export interface BodySource {
  /** To be called once. May call the sink before it returns. */
  start(sink: BodySink): void;
  /** Goes on after `data` returned false. */
  resume(): void;
  /** Ends it early and closes its connection; at any time, any number of times. */
  destroy(): void;
}
