import { UpstreamError } from '../../upstream/upstream-error.ts';

/**
 * A signal that is aborted with another one, or by itself. Once it is ended the other one, which may live as long as the process, holds
 * nothing of it: what `AbortSignal.any` and `AbortSignal.timeout` make is held longer than what it was made for.
 */
export class AbortLink {
  readonly #controller = new AbortController();
  readonly #siblings: Set<AbortLink>;

  constructor(parent: AbortSignal) {
    this.#siblings = linksOf(parent);
    this.#siblings.add(this);
    if (parent.aborted) this.abort(parent.reason);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** The parent lets go of it. */
  unlink(): void {
    this.#siblings.delete(this);
  }

  /**
   * Does something that has so many milliseconds.
   * @throws UpstreamError when they are over; the parent's reason
   */
  static async withTimeout<T>(parent: AbortSignal, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const link = new AbortLink(parent);
    const onTimeout = () =>
      link.abort(new UpstreamError('first-byte', `there was no whole answer within ${ms / 1000} s`));
    const timer = setTimeout(onTimeout, ms).unref();
    try {
      return await work(link.signal);
    } catch (error) {
      // Who reads a body learns that it was aborted, and not why.
      link.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      link.unlink();
    }
  }
}

/**
 * The links of each signal, of which it has one listener: Node keeps listeners in a chain, whose removed members hold the later ones until
 * all of them are old, so that what thousands of requests leave behind is cleared much later than it could be.
 */
const linksByParent = new WeakMap<AbortSignal, Set<AbortLink>>();

function linksOf(parent: AbortSignal): Set<AbortLink> {
  const known = linksByParent.get(parent);
  if (known) return known;
  const family = new Set<AbortLink>();
  linksByParent.set(parent, family);
  const abort = () => {
    for (const link of family) link.abort(parent.reason);
  };
  parent.addEventListener('abort', abort, { once: true });
  return family;
}
