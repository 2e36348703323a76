import { UpstreamError } from '../upstream/upstream-error.ts';

/** Milliseconds in which a registry may take no byte of what it is sent. */
const IDLE_MS = 60_000;

/** Gives an upload up that its registry neither takes nor answers. How long what is sent takes to come is no concern of it. */
export class UploadWatch {
  readonly #abort = new AbortController();
  readonly #answerMs: number;
  #timer: NodeJS.Timeout;

  /** @param answerMs milliseconds for the answer once all is sent */
  constructor(answerMs: number) {
    this.#answerMs = answerMs;
    this.#timer = this.#in(answerMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The same pieces, with an eye on how long each is waited for to be taken. */
  async *over(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    clearTimeout(this.#timer);
    for await (const piece of body) {
      this.#timer = this.#in(IDLE_MS);
      yield piece;
      clearTimeout(this.#timer);
    }
    this.#timer = this.#in(this.#answerMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #in(ms: number): NodeJS.Timeout {
    const late = () =>
      this.#abort.abort(new UpstreamError('stall', `an upload was not taken or answered for ${ms / 1000} s`));
    return setTimeout(late, ms).unref();
  }
}
