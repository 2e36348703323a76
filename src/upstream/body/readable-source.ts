import type { Readable } from 'node:stream';
import { asUpstreamError } from '../upstream-error.ts';
import { type BodySink, Chunk } from './body-source.ts';
import { StreamedBody } from './streamed-body.ts';

/** Reads a Node stream as a body. */
export class ReadableSource extends StreamedBody {
  readonly #readable: Readable;
  #sink: BodySink | undefined;
  #finished = false;

  constructor(readable: Readable) {
    super();
    this.#readable = readable;
    // An error before `start` or after `destroy` must not end the process.
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
      if (this.#finished) return;
      this.#finished = true;
      sink.end();
    });
    readable.on('data', (bytes: Buffer) => {
      if (!this.#finished && !sink.data(new Chunk(bytes))) readable.pause();
    });
  }

  resume(): void {
    this.#readable.resume();
  }

  destroy(): void {
    this.#finished = true;
    this.#readable.destroy();
  }

  #fail(error: unknown): void {
    if (this.#finished || !this.#sink) return;
    this.#finished = true;
    this.#sink.failed(asUpstreamError(error));
  }
}
