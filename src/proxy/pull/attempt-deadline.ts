import type { Failure } from '../../failover/classify.ts';
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
  readonly #control: AbortController;
  readonly #timer: NodeJS.Timeout;
  readonly #canaryCheck: { stop: () => void } | undefined;
  readonly #deadlineReached = new AbortController();
  #last: NodeJS.Immediate | undefined;
  #abandoned = false;

  constructor(upstream: Upstream, url: string, { ms, ignoreCanary }: AttemptLimit, control: AbortController) {
    this.#control = control;
    this.#timer = setTimeout(() => this.#expired(ms), ms);
    this.#canaryCheck = ignoreCanary ? undefined : readCanaryWhenLate(upstream, url, () => this.#dead());
  }

  /** Aborted when the time is over. From then on, a body that has begun counts as an answer. */
  get deadlineReached(): AbortSignal {
    return this.#deadlineReached.signal;
  }

  /** The attempt was given up before its time was over. The upstream may still answer. */
  get abandoned(): boolean {
    return this.#abandoned;
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#last);
    this.#canaryCheck?.stop();
  }

  #expired(ms: number): void {
    this.#deadlineReached.abort();
    // An attempt whose body has begun stops this clock first.
    this.#last = setImmediate(() => this.#giveUp('first-byte', `no first byte within ${ms} ms`));
  }

  #dead(): void {
    this.#abandoned = true;
    this.#giveUp('canary', 'no answer yet, and its canary cannot be read either');
  }

  #giveUp(reason: Failure, message: string): void {
    this.#control.abort(new UpstreamError(reason, message));
  }
}

/**
 * Reads the canary when an answer is late, because a late answer may be slow or may never come. A good canary changes
 * nothing. After `stop`, `onDead` is not called any more, because the signal then belongs to the body.
 */
function readCanaryWhenLate(upstream: Upstream, url: string, onDead: () => void): { stop: () => void } {
  let waiting = true;
  const timer = setTimeout(async () => {
    const canary = await upstream.confirmCanary(url);
    if (waiting && canary === 'failing') onDead();
  }, CANARY_CHECK_MS);
  const stop = () => {
    waiting = false;
    clearTimeout(timer);
  };
  return { stop };
}
