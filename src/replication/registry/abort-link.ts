import { UpstreamError } from '../../upstream/upstream-error.ts';

/**
 * A child of an abort signal that can also abort by itself. After `unlink` the parent, which may live as long as the process, holds no
 * reference to the child. `AbortSignal.any` and `AbortSignal.timeout` hold theirs for longer.
 */
export class AbortLink {
  readonly #controller = new AbortController();
  readonly signal: AbortSignal = this.#controller.signal;
  readonly #siblings: Set<AbortLink>;

  constructor(parent: AbortSignal) {
    this.#siblings = linksOf(parent);
    this.#siblings.add(this);
    if (parent.aborted) this.abort(parent.reason);
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Removes the link from its parent. */
  unlink(): void {
    this.#siblings.delete(this);
  }

  /**
   * Runs `work` with a time limit.
   * @throws UpstreamError on timeout; the parent's reason
   */
  static async withTimeout<T>(parent: AbortSignal, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const link = new AbortLink(parent);
    const onTimeout = () =>
      link.abort(new UpstreamError('first-byte', `there was no whole answer within ${ms / 1000} s`));
    const timer = setTimeout(onTimeout, ms).unref();
    try {
      return await work(link.signal);
    } catch (error) {
      // A body reader sees an abort error without its reason; the signal has the reason.
      link.signal.throwIfAborted();
      throw error;
    } finally {
      clearTimeout(timer);
      link.unlink();
    }
  }
}

/**
 * The links of each parent signal, which has a single listener. Node keeps listeners in a chain whose removed members retain the later
 * ones, so one listener for each of thousands of requests would delay garbage collection.
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
