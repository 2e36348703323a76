import { UpstreamError } from '../../upstream/upstream-error.ts';
import { AbortLink } from '../registry/abort-link.ts';

export interface UploadTimeoutOptions {
  /** Milliseconds for the whole answer after the last byte of the request. */
  answerMs: number;
  /** Milliseconds in which a registry must read at least one chunk. Default 60 s. */
  idleMs?: number | undefined;
}

const IDLE_MS = 60_000;

/** Aborts an upload that its registry neither reads nor answers. A slow source does not count. */
export class UploadTimeout {
  readonly #link: AbortLink;
  /** Aborted on timeout, and with the parent signal. */
  readonly signal: AbortSignal;
  readonly #answerMs: number;
  readonly #idleMs: number;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  /** Bytes that the registry has read. */
  sentBytes = 0;
  #reading = false;

  constructor(signal: AbortSignal, { answerMs, idleMs = IDLE_MS }: UploadTimeoutOptions) {
    this.#link = new AbortLink(signal);
    this.signal = this.#link.signal;
    this.#answerMs = answerMs;
    this.#idleMs = idleMs;
    this.#start(answerMs);
  }

  /** Passes the chunks through and times how long the registry takes to read each. */
  async *watch(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    clearTimeout(this.#timer);
    this.#reading = true;
    for await (const piece of body) {
      this.#start(this.#idleMs);
      this.sentBytes += piece.length;
      yield piece;
      clearTimeout(this.#timer);
    }
    this.#reading = false;
    this.#start(this.#answerMs);
  }

  /** Ends the upload; a source that is still read is aborted. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#link.unlink();
    if (this.#reading) this.#link.abort(new UpstreamError('reset', 'the upload is over'));
  }

  #start(ms: number): void {
    if (this.#ended) return;
    const late = () =>
      this.#link.abort(new UpstreamError('stall', `an upload was not taken or answered for ${ms / 1000} s`));
    this.#timer = setTimeout(late, ms).unref();
  }
}
