import type { BodySink, BodySource } from './body-source.ts';
import type { Chunk } from './chunk.ts';
import type { UpstreamError } from './upstream-error.ts';

/** A body whose first bytes are there: an upstream that only sends a head has not answered yet. */
export class PrimedBody implements BodySource {
  readonly #source: BodySource;
  #first: Chunk | undefined;
  #ended = false;
  #error: UpstreamError | undefined;
  #sink: BodySink | undefined;

  private constructor(source: BodySource) {
    this.#source = source;
  }

  /** @throws UpstreamError if it breaks off before its first byte; the signal's reason */
  static prime(source: BodySource, signal: AbortSignal): Promise<PrimedBody> {
    return new Promise((resolve, reject) => {
      const body = new PrimedBody(source);
      const onAbort = () => {
        source.destroy();
        reject(signal.reason);
      };
      const settle = (act: () => void) => {
        signal.removeEventListener('abort', onAbort);
        act();
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      source.start({
        data: (chunk) => body.#data(chunk, () => settle(() => resolve(body))),
        end: () => body.#end(() => settle(() => resolve(body))),
        failed: (error) => body.#failed(error, () => settle(() => reject(error))),
      });
    });
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    const first = this.#first;
    this.#first = undefined;
    const more = first === undefined || sink.data(first);
    // The sink may have dropped it in the meantime.
    if (this.#sink !== sink) return;
    if (this.#error) sink.failed(this.#error);
    else if (this.#ended) sink.end();
    else if (more) this.#source.resume();
  }

  resume(): void {
    this.#source.resume();
  }

  destroy(): void {
    this.#sink = undefined;
    this.#first?.release();
    this.#first = undefined;
    this.#ended = true;
    this.#source.destroy();
  }

  #data(chunk: Chunk, primed: () => void): boolean {
    if (this.#sink) return this.#sink.data(chunk);
    if (this.#first || this.#ended) {
      // Sources keep to `false`; this one does not, and its bytes must not be lost in silence.
      chunk.release();
      this.destroy();
      return false;
    }
    this.#first = chunk;
    primed();
    return false;
  }

  #end(primed: () => void): void {
    this.#ended = true;
    if (this.#sink) this.#sink.end();
    else primed();
  }

  #failed(error: UpstreamError, early: () => void): void {
    this.#error = error;
    if (this.#sink) this.#sink.failed(error);
    else if (!this.#first) early();
  }
}
