import type { Failure } from '../../failover/classify.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';

/** Milliseconds without a first byte after which the canary is read. */
const WORRY_MS = 300;

/** What an attempt is given until its answer is there. */
export interface AttemptLimit {
  /** Milliseconds. */
  ms: number;
  /** It may take all of them, whatever the canary says. */
  patient: boolean;
  /** Bytes of a body that is streamed which make an answer, or all of it if it is shorter; at the end of the time one will do. Default: 1. */
  beginning?: number;
}

/** The clocks of an attempt: they give it up when its time is over, or sooner when the canary cannot be read either. */
export class AttemptWatch {
  readonly #control: AbortController;
  readonly #timer: NodeJS.Timeout;
  readonly #worry: { stop: () => void } | undefined;
  readonly #hurry = new AbortController();
  #last: NodeJS.Immediate | undefined;
  #early = false;

  constructor(upstream: Upstream, url: string, { ms, patient }: AttemptLimit, control: AbortController) {
    this.#control = control;
    this.#timer = setTimeout(() => this.#expired(ms), ms);
    this.#worry = patient ? undefined : worryAbout(upstream, url, () => this.#dead());
  }

  /** Aborted when the time is over: what has begun counts as an answer then. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  /** It was given up before its time, and may yet answer. */
  get early(): boolean {
    return this.#early;
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#last);
    this.#worry?.stop();
  }

  #expired(ms: number): void {
    this.#hurry.abort();
    // Whose beginning will do has stopped this watch by then.
    this.#last = setImmediate(() => this.#giveUp('first-byte', `no first byte within ${ms} ms`));
  }

  #dead(): void {
    this.#early = true;
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
function worryAbout(upstream: Upstream, url: string, onDead: () => void): { stop: () => void } {
  let waiting = true;
  const timer = setTimeout(async () => {
    const canary = await upstream.confirmCanary(url);
    if (waiting && canary === 'failing') onDead();
  }, WORRY_MS);
  const stop = () => {
    waiting = false;
    clearTimeout(timer);
  };
  return { stop };
}
