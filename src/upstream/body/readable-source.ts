import type { Readable } from 'node:stream';
import { asUpstreamError } from '../upstream-error.ts';
import { type BodySink, type BodySource, Chunk } from './body-source.ts';

/** A stream of Node's as a body. */
export class ReadableSource implements BodySource {
  readonly #readable: Readable;
  #sink: BodySink | undefined;
  #over = false;

  constructor(readable: Readable) {
    this.#readable = readable;
    // What breaks off before it is started, or after it was dropped, must not end the process.
    readable.on('error', (error) => this.#fail(error));
    readable.on('close', () => this.#fail(new Error('other side closed in the middle of the body')));
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    const readable = this.#readable;
    if (readable.errored || readable.destroyed) {
      this.#fail(readable.errored ?? new Error('other side closed in the middle of the body'));
      return;
    }
    readable.on('end', () => {
      if (this.#over) return;
      this.#over = true;
      sink.end();
    });
    readable.on('data', (bytes: Buffer) => {
      if (!this.#over && !sink.data(new Chunk(bytes))) readable.pause();
    });
  }

  resume(): void {
    this.#readable.resume();
  }

  destroy(): void {
    this.#over = true;
    this.#readable.destroy();
  }

  #fail(error: unknown): void {
    if (this.#over || !this.#sink) return;
    this.#over = true;
    this.#sink.failed(asUpstreamError(error));
  }
}
