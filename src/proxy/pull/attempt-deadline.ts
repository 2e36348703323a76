import type { Failure } from '../../failover/classify.ts';
import type { CanaryState } from '../../failover/view.ts';
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
  /** How long the attempt may wait when its time is over, no other one is left, and its canary is good. Default: not at all. */
  last?: LastWait | undefined;
}

export interface LastWait {
  /** Milliseconds since the attempt began. */
  ms: number;
  /** Milliseconds since the attempt began after which the canary must be good. */
  checkedAfter: number;
  /** Whether no other upstream can answer. */
  isLast: () => boolean;
  /** Begins the wait. @returns ends it; undefined: too many attempts wait already */
  start: () => (() => void) | undefined;
}

/** The clocks of an attempt. They give it up when its time is over, or earlier when the canary fails too. */
export class AttemptClock {
  /** The attempt was given up before its time was over. The upstream may still answer. */
  abandoned = false;
  readonly #control: AbortController;
  #timer: NodeJS.Timeout;
  readonly #canaryTimer: NodeJS.Timeout | undefined;
  readonly #deadlineReached = new AbortController();
  #last: NodeJS.Immediate | undefined;
  #endWait: (() => void) | undefined;
  /** A read of the canary for the wait of a last attempt. It begins before the deadline, because a slow canary takes long too. */
  #canary: Promise<CanaryState> | undefined;
  #stopped = false;

  constructor(upstream: Upstream, url: string, limit: AttemptLimit, control: AbortController) {
    const { ms, ignoreCanary } = limit;
    this.#control = control;
    const expired = bounded(() => this.#expired(upstream, url, limit), { onError: (error) => control.abort(error) });
    this.#timer = setTimeout(expired, ms);
    const checkCanary = bounded(() => this.#checkCanary(upstream, url, limit), {
      onError: (error) => control.abort(error),
    });
    if (!ignoreCanary || limit.last) this.#canaryTimer = setTimeout(checkCanary, CANARY_CHECK_MS);
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
    this.#endWait?.();
    this.#endWait = undefined;
  }

  #expired(upstream: Upstream, url: string, { ms, last }: AttemptLimit): void {
    this.#deadlineReached.abort();
    // An attempt whose body has begun stops this clock first.
    const onLate = bounded(() => this.#waitOn(upstream, url, ms, last), {
      onError: (error) => this.#control.abort(error),
    });
    this.#last = setImmediate(onLate);
  }

  /** A deadline is for going to the next upstream, and not for giving up on the last one that is alive (rule 11). */
  async #waitOn(upstream: Upstream, url: string, ms: number, last: LastWait | undefined): Promise<void> {
    const giveUp = (after: number) => this.#giveUp('first-byte', `no first byte within ${Math.round(after)} ms`);
    const release = last?.isLast() && last.ms > ms ? last.start() : undefined;
    if (!last || !release) return giveUp(ms);
    const over = new AbortController();
    this.#endWait = () => {
      release();
      over.abort();
    };
    const began = performance.now();
    // In an outage the probes end the wait.
    void upstream.untilRefusing(over.signal).then(() => giveUp(ms + performance.now() - began));
    this.#timer = setTimeout(() => giveUp(last.checkedAfter), Math.max(last.checkedAfter - ms, 0));
    const canary = await (this.#canary ?? upstream.confirmCanaryPatiently(url));
    if (this.#stopped || this.#control.signal.aborted) return;
    if (canary !== 'good') return giveUp(ms);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => giveUp(last.ms), Math.max(last.ms - ms - (performance.now() - began), 0));
  }

  /** A late answer may be slow or may never come: the canary tells. A good canary changes nothing. */
  async #checkCanary(upstream: Upstream, url: string, { ignoreCanary, last }: AttemptLimit): Promise<void> {
    if (last?.isLast()) this.#canary = upstream.confirmCanaryPatiently(url);
    if (ignoreCanary) return;
    const canary = await (this.#canary ?? upstream.confirmCanary(url));
    if (this.#stopped || canary !== 'failing') return;
    this.abandoned = true;
    this.#giveUp('canary', 'no answer yet, and its canary cannot be read either');
  }

  #giveUp(reason: Failure, message: string): void {
    this.#control.abort(new UpstreamError(reason, message));
  }
}
