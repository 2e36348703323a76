import { UpstreamError } from '../../upstream/upstream-error.ts';
import { AbortLink } from '../registry/abort-link.ts';

export interface UploadTimeoutOptions {
  /** Milliseconds for the whole answer once all is sent. */
  answerMs: number;
  /** Milliseconds in which a registry may take no byte of what it is sent. Default 60 s. */
  idleMs?: number | undefined;
}

const IDLE_MS = 60_000;

/** Gives an upload up that its registry neither takes nor answers. How long what is sent takes to come is no concern of it. */
export class UploadTimeout {
  readonly #link: AbortLink;
  readonly #answerMs: number;
  readonly #idleMs: number;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #sentBytes = 0;
  #reading = false;

  constructor(signal: AbortSignal, { answerMs, idleMs = IDLE_MS }: UploadTimeoutOptions) {
    this.#link = new AbortLink(signal);
    this.#answerMs = answerMs;
    this.#idleMs = idleMs;
    this.#start(answerMs);
  }

  /** Aborted when it is given up, and when the signal is that it was made with. */
  get signal(): AbortSignal {
    return this.#link.signal;
  }

  /** Bytes that were taken. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** The same pieces, with an eye on how long each is waited for to be taken. */
  async *watch(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    clearTimeout(this.#timer);
    this.#reading = true;
    for await (const piece of body) {
      this.#start(this.#idleMs);
      this.#sentBytes += piece.length;
      yield piece;
      clearTimeout(this.#timer);
    }
    this.#reading = false;
    this.#start(this.#answerMs);
  }

  /** All is over; what is still read for it ends. */
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
