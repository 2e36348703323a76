import type { UpstreamError } from '../upstream-error.ts';
import type { BodySink, BodySource, Chunk } from './body-source.ts';

/** How much of a body has to be there. */
export interface Beginning {
  /** So many bytes of it, or all if it is shorter. */
  bytes: number;
  /** Aborted when any first byte will do. */
  deadlineReached?: AbortSignal | undefined;
}

const FIRST_BYTE: Beginning = { bytes: 1 };

/**
 * A body whose beginning is there: an upstream that only sends a head has not answered yet, and whether it brings more than a trickle
 * shows in the first few KiB.
 */
export class PrimedBody implements BodySource {
  readonly #source: BodySource;
  /** What came before the sink took it. */
  readonly #kept: Chunk[] = [];
  #length = 0;
  /** Bytes to wait for. */
  #wanted: number;
  /** The source was told to send no more. */
  #held = false;
  /** The sink said so. */
  #paused = false;
  #ended = false;
  #error: UpstreamError | undefined;
  #sink: BodySink | undefined;

  private constructor(source: BodySource, wanted: number) {
    this.#source = source;
    this.#wanted = wanted;
  }

  /** @throws UpstreamError if it breaks off before its first byte; the signal's reason */
  static prime(source: BodySource, signal: AbortSignal, { bytes, deadlineReached } = FIRST_BYTE): Promise<PrimedBody> {
    return new Promise((resolve, reject) => {
      const body = new PrimedBody(source, deadlineReached?.aborted ? 1 : bytes);
      const onAbort = () => {
        deadlineReached?.removeEventListener('abort', onHurry);
        body.destroy();
        reject(signal.reason);
      };
      const settle = (act: () => void) => {
        signal.removeEventListener('abort', onAbort);
        deadlineReached?.removeEventListener('abort', onHurry);
        act();
      };
      const primed = () => settle(() => resolve(body));
      const onHurry = () => {
        body.#wanted = 1;
        if (body.#length > 0) primed();
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      deadlineReached?.addEventListener('abort', onHurry, { once: true });
      source.start({
        data: (chunk) => body.#data(chunk, primed),
        end: () => body.#end(primed),
        failed: (error) => body.#failed(error, primed, () => settle(() => reject(error))),
      });
    });
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#pump();
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  destroy(): void {
    this.#sink = undefined;
    this.#ended = true;
    for (const chunk of this.#kept.splice(0)) chunk.release();
    this.#source.destroy();
  }

  /** Hands over what was kept, then the end if that came too; else the source goes on. */
  #pump(): void {
    const sink = this.#sink;
    while (!this.#paused) {
      const chunk = this.#kept.shift();
      if (!chunk) break;
      if (!sink?.data(chunk)) this.#paused = true;
      // The sink may have dropped it in the meantime.
      if (this.#sink !== sink) return;
    }
    if (this.#kept.length > 0) return;
    if (this.#error || this.#ended) this.#finish();
    else if (!this.#paused && this.#held) this.#goOn();
  }

  #goOn(): void {
    this.#held = false;
    this.#source.resume();
  }

  #finish(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (this.#error) sink?.failed(this.#error);
    else sink?.end();
  }

  #data(chunk: Chunk, primed: () => void): boolean {
    if (this.#held || this.#ended) {
      // Sources keep to `false`; this one does not, and its bytes must not be lost in silence.
      chunk.release();
      this.destroy();
      return false;
    }
    if (this.#sink && this.#kept.length === 0) {
      this.#paused = !this.#sink.data(chunk);
      this.#held = this.#paused;
      return !this.#held;
    }
    this.#kept.push(chunk);
    this.#length += chunk.bytes.length;
    if (this.#sink === undefined && this.#length < this.#wanted) return true;
    this.#held = true;
    if (this.#sink === undefined) primed();
    return false;
  }

  #end(primed: () => void): void {
    this.#ended = true;
    if (this.#kept.length === 0 && this.#sink) this.#finish();
    else if (!this.#sink) primed();
  }

  #failed(error: UpstreamError, primed: () => void, early: () => void): void {
    this.#error = error;
    if (this.#kept.length === 0 && this.#sink) this.#finish();
    else if (this.#sink) return;
    else if (this.#length > 0) primed();
    else early();
  }
}
