import type { UpstreamError } from '../upstream-error.ts';
import type { BodySink, BodySource, Chunk } from './body-source.ts';

/** How much of a body must have arrived. */
export interface PrimeTarget {
  /** Bytes to wait for; a shorter body is waited for whole. */
  bytes: number;
  /** Aborted when one byte is enough. */
  deadlineReached?: AbortSignal | undefined;
}

/**
 * A body whose beginning has arrived. An upstream that has sent only a head has not answered yet, and only the first
 * few KiB show whether it sends more than a trickle.
 */
export class PrimedBody implements BodySource {
  readonly #source: BodySource;
  /** Chunks that arrived before the sink took them. */
  readonly #buffered: Chunk[] = [];
  #bufferedBytes = 0;
  /** Bytes to wait for. */
  #targetBytes: number;
  /** The source was told to pause. */
  #sourcePaused = false;
  /** The sink asked for a pause. */
  #sinkPaused = false;
  #ended = false;
  #error: UpstreamError | undefined;
  #sink: BodySink | undefined;

  private constructor(source: BodySource, targetBytes: number) {
    this.#source = source;
    this.#targetBytes = targetBytes;
  }

  /**
   * Resolves when the beginning has arrived.
   * @throws UpstreamError when the body breaks off before its first byte; the signal's reason
   */
  static prime(source: BodySource, signal: AbortSignal, target: PrimeTarget = { bytes: 1 }): Promise<PrimedBody> {
    const { bytes, deadlineReached } = target;
    return new Promise((resolve, reject) => {
      const body = new PrimedBody(source, deadlineReached?.aborted ? 1 : bytes);
      const onAbort = () => {
        deadlineReached?.removeEventListener('abort', onDeadline);
        body.destroy();
        reject(signal.reason);
      };
      const settle = (act: () => void) => {
        signal.removeEventListener('abort', onAbort);
        deadlineReached?.removeEventListener('abort', onDeadline);
        act();
      };
      const primed = () => settle(() => resolve(body));
      const onDeadline = () => {
        body.#targetBytes = 1;
        if (body.#bufferedBytes > 0) primed();
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      deadlineReached?.addEventListener('abort', onDeadline, { once: true });
      source.start({
        data: (chunk) => body.#onData(chunk, primed),
        end: () => body.#onEnd(primed),
        failed: (error) => body.#onFailed(error, primed, () => settle(() => reject(error))),
      });
    });
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#pump();
  }

  resume(): void {
    this.#sinkPaused = false;
    this.#pump();
  }

  destroy(): void {
    this.#sink = undefined;
    this.#ended = true;
    for (const chunk of this.#buffered.splice(0)) chunk.release();
    this.#source.destroy();
  }

  /** Delivers the buffered chunks, then the end if it has arrived; else resumes the source. */
  #pump(): void {
    const sink = this.#sink;
    while (!this.#sinkPaused) {
      const chunk = this.#buffered.shift();
      if (!chunk) break;
      if (!sink?.data(chunk)) this.#sinkPaused = true;
      // The sink may have destroyed the body while it took the chunk.
      if (this.#sink !== sink) return;
    }
    if (this.#buffered.length > 0) return;
    if (this.#error || this.#ended) this.#finish();
    else if (!this.#sinkPaused && this.#sourcePaused) {
      this.#sourcePaused = false;
      this.#source.resume();
    }
  }

  #finish(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (this.#error) sink?.failed(this.#error);
    else sink?.end();
  }

  #onData(chunk: Chunk, primed: () => void): boolean {
    if (this.#sourcePaused || this.#ended) {
      // This source ignored a pause. Its bytes must not be lost in silence.
      chunk.release();
      this.destroy();
      return false;
    }
    if (this.#sink && this.#buffered.length === 0) {
      this.#sinkPaused = !this.#sink.data(chunk);
      this.#sourcePaused = this.#sinkPaused;
      return !this.#sourcePaused;
    }
    this.#buffered.push(chunk);
    this.#bufferedBytes += chunk.bytes.length;
    if (this.#sink === undefined && this.#bufferedBytes < this.#targetBytes) return true;
    this.#sourcePaused = true;
    if (this.#sink === undefined) primed();
    return false;
  }

  #onEnd(primed: () => void): void {
    this.#ended = true;
    if (this.#buffered.length === 0 && this.#sink) this.#finish();
    else if (!this.#sink) primed();
  }

  #onFailed(error: UpstreamError, primed: () => void, failedEarly: () => void): void {
    this.#error = error;
    if (this.#buffered.length === 0 && this.#sink) this.#finish();
    else if (this.#sink) return;
    else if (this.#bufferedBytes > 0) primed();
    else failedEarly();
  }
}
