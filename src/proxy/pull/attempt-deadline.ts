import type { Failure } from '../../failover/classify.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';

/** Milliseconds without a first byte after which the canary is read. */
const CANARY_CHECK_MS = 300;

/** What an attempt is given until its answer is there. */
export interface AttemptLimit {
  /** Milliseconds. */
  ms: number;
  /** It may take all of them, whatever the canary says. */
  ignoreCanary: boolean;
  /** Bytes of a body that is streamed which make an answer, or all of it if it is shorter; at the end of the time one will do. Default: 1. */
  beginning?: number;
}

/** The clocks of an attempt: they give it up when its time is over, or sooner when the canary cannot be read either. */
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

  /** Aborted when the time is over: what has begun counts as an answer then. */
  get deadlineReached(): AbortSignal {
    return this.#deadlineReached.signal;
  }

  /** It was given up before its time, and may yet answer. */
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
    // Whose beginning will do has stopped this watch by then.
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
 * An answer that is late may be slow or may never come: the canary tells, well before the deadline. A good one changes nothing.
 * After `stop` nothing is called any more, since the signal then belongs to the body.
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
