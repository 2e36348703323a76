import type { UpstreamError } from '../upstream-error.ts';

/**
 * Bytes of a body with counted references. The receiver of a chunk owns one reference and must call `release` once; the
 * last release gives the memory back. Code that keeps a chunk longer than its caller does must call `retain` first.
 */
export class Chunk {
  readonly bytes: Buffer;
  readonly #onFree: (() => void) | undefined;
  #references = 1;

  /** @param onFree called once, after the last release; undefined when the garbage collector frees the memory */
  constructor(bytes: Buffer, onFree?: () => void) {
    this.bytes = bytes;
    this.#onFree = onFree;
  }

  /** A chunk over the bytes from offset `from` up to offset `to`, which holds a reference to this one. */
  part(from: number, to: number): Chunk {
    this.retain();
    return new Chunk(this.bytes.subarray(from, to), () => this.release());
  }

  retain(): this {
    if (this.#references === 0) throw new Error('a chunk was used after its release');
    this.#references += 1;
    return this;
  }

  release(): void {
    if (this.#references === 0) throw new Error('a chunk was released twice');
    this.#references -= 1;
    if (this.#references === 0) this.#onFree?.();
  }
}

/** The receiver of a body. After `end`, `failed` or `BodySource.destroy` no method is called any more. */
export interface BodySink {
  /** Takes over one reference to the chunk. @returns false when no more chunks may come until `resume` */
  data(chunk: Chunk): boolean;
  /** The body is complete: its length is as announced. */
  end(): void;
  /** The body broke off: reset, short, or longer than announced. */
  failed(error: UpstreamError): void;
}

/** A body from an upstream. Before `start` no more of the body is read than came with its head. */
export interface BodySource {
  /** To be called once. May call the sink before it returns. */
  start(sink: BodySink): void;
  /** Continues after `data` returned false. */
  resume(): void;
  /** Ends the body early and closes its connection; may be called at any time, any number of times. */
  destroy(): void;
}
