import { UpstreamError } from '../upstream/upstream-error.ts';

/**
 * A signal that is aborted with another one, or by itself. Once it is ended the other one, which may live as long as the process, holds
 * nothing of it: what `AbortSignal.any` and `AbortSignal.timeout` make is held longer than what it was made for.
 */
export class AbortLink {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal;
  readonly #follow = () => this.#controller.abort(this.#parent.reason);

  constructor(parent: AbortSignal) {
    this.#parent = parent;
    if (parent.aborted) this.#follow();
    else parent.addEventListener('abort', this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** The parent lets go of it. */
  end(): void {
    this.#parent.removeEventListener('abort', this.#follow);
  }

  /**
   * Does something that has so many milliseconds.
   * @throws UpstreamError when they are over; the parent's reason
   */
  static async within<T>(parent: AbortSignal, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const link = new AbortLink(parent);
    const late = () => link.abort(new UpstreamError('first-byte', `there was no whole answer within ${ms / 1000} s`));
    const timer = setTimeout(late, ms).unref();
    try {
      return await work(link.signal);
    } catch (error) {
      // Who reads a body learns that it was aborted, and not why.
      link.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      link.end();
    }
  }
}
