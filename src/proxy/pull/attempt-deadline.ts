import type { Failure } from '../../failover/classify.ts';
import { bounded } from '../../http/boundary.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';

/** Milliseconds without a first byte after which the canary is read. */
const CANARY_CHECK_MS = 300;

/** The limits of an attempt until its answer begins. */
export interface AttemptLimit {
  /** Milliseconds. */
  ms: number;
  /** The attempt may use all of its time, even if the canary fails. */
  ignoreCanary: boolean;
  /**
   * Bytes of a streamed body that make an answer; all of the body if it is shorter. When the time is over, one byte
   * is enough. Default: 1.
   */
  beginning?: number;
}

/** The clocks of an attempt. They give it up when its time is over, or earlier when the canary fails too. */
export class AttemptClock {
  /** The attempt was given up before its time was over. The upstream may still answer. */
  abandoned = false;
  readonly #control: AbortController;
  readonly #timer: NodeJS.Timeout;
  readonly #canaryTimer: NodeJS.Timeout | undefined;
  readonly #deadlineReached = new AbortController();
  #last: NodeJS.Immediate | undefined;
  #stopped = false;

  constructor(upstream: Upstream, url: string, { ms, ignoreCanary }: AttemptLimit, control: AbortController) {
    this.#control = control;
    this.#timer = setTimeout(() => this.#expired(ms), ms);
    const checkCanary = bounded(() => this.#checkCanary(upstream, url), { onError: (error) => control.abort(error) });
    if (!ignoreCanary) this.#canaryTimer = setTimeout(checkCanary, CANARY_CHECK_MS);
  }

  /** Aborted when the time is over. From then on, a body that has begun counts as an answer. */
  get deadlineReached(): AbortSignal {
    return this.#deadlineReached.signal;
  }

  /** Nothing is given up any more, because the signal then belongs to the body. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#canaryTimer);
    clearImmediate(this.#last);
  }

  #expired(ms: number): void {
    this.#deadlineReached.abort();
    // An attempt whose body has begun stops this clock first.
    this.#last = setImmediate(() => this.#giveUp('first-byte', `no first byte within ${ms} ms`));
  }

  /** A late answer may be slow or may never come: the canary tells. A good canary changes nothing. */
  async #checkCanary(upstream: Upstream, url: string): Promise<void> {
    const canary = await upstream.confirmCanary(url);
    if (this.#stopped || canary !== 'failing') return;
    this.abandoned = true;
    this.#giveUp('canary', 'no answer yet, and its canary cannot be read either');
  }

  #giveUp(reason: Failure, message: string): void {
    this.#control.abort(new UpstreamError(reason, message));
  }
}
