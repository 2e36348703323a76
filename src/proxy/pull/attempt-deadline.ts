import type { Failure } from '../../failover/classify.ts';
import type { CanaryState } from '../../failover/view.ts';
import { bounded } from '../../http/boundary.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';

/** Milliseconds without a first byte after which the canary is read. */
const CANARY_CHECK_MS = 300;
/** Milliseconds that a canary has at least where all attempts together have used their 9.5 s. A client has an error within 10 s. */
const CANARY_MS = 200;

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
  /** How the attempt may go on when its time is over. Default: not at all. */
  overtime?: Overtime | undefined;
}

/** The wait of an attempt whose time is over, until another one has answered, or as the last one that may. */
export interface Overtime {
  /** Milliseconds since the attempt began. */
  ms: number;
  /** Milliseconds since the attempt began after which it must outlast the others. */
  checkedAfter: number;
  /** Whether no other attempt can answer. */
  isLast: () => boolean;
  /** Whether this attempt goes on when the time of all is over. */
  outlastsOthers: (canary: CanaryState | undefined) => boolean;
  /**
   * Begins the wait. If there is a next attempt, it begins too.
   * @param hadPlace the attempt has not waited for a place
   * @returns ends the wait; undefined: the attempt may not wait
   */
  start: (hadPlace: boolean) => (() => void) | undefined;
  /** Resolves when the upstream is known to be out. Never rejects; pending for ever once the signal is aborted. */
  untilOut: (signal: AbortSignal) => Promise<unknown>;
}

/** The clocks of an attempt. They give it up when its time is over, or earlier when the canary fails too. */
export class AttemptClock {
  /** The attempt was given up before its time was over. The upstream may still answer. */
  abandoned = false;
  /** The attempt had a place at once. */
  hadPlace = false;
  readonly #control: AbortController;
  #timer: NodeJS.Timeout;
  readonly #canaryTimer: NodeJS.Timeout | undefined;
  readonly #deadlineReached = new AbortController();
  #last: NodeJS.Immediate | undefined;
  #endWait: (() => void) | undefined;
  /** A read of the canary for the overtime of a last attempt. It begins before the deadline, because a slow canary takes long too. */
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
    if (!ignoreCanary || limit.overtime) this.#canaryTimer = setTimeout(checkCanary, CANARY_CHECK_MS);
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

  #expired(upstream: Upstream, url: string, { ms, overtime }: AttemptLimit): void {
    this.#deadlineReached.abort();
    // An attempt whose body has begun stops this clock first.
    const onLate = bounded(() => this.#goOn(upstream, url, ms, overtime), {
      onError: (error) => this.#control.abort(error),
    });
    this.#last = setImmediate(onLate);
  }

  /** A deadline is for going to the next upstream, and not for giving up on the last one that is alive (rule 11). */
  async #goOn(upstream: Upstream, url: string, ms: number, overtime: Overtime | undefined): Promise<void> {
    const giveUp = (after: number) => this.#giveUp('first-byte', `no first byte within ${Math.round(after)} ms`);
    const release = overtime && overtime.ms > ms ? overtime.start(this.hadPlace) : undefined;
    if (!overtime || !release) return giveUp(ms);
    const over = new AbortController();
    this.#endWait = () => {
      release();
      over.abort();
    };
    const began = performance.now();
    // In an outage the probes end the wait.
    void overtime.untilOut(over.signal).then(() => giveUp(ms + performance.now() - began));
    let canary: CanaryState | undefined;
    const checked = Math.min(overtime.checkedAfter, overtime.ms);
    const check = () => {
      if (!overtime.outlastsOthers(canary)) giveUp(checked);
      else this.#timer = setTimeout(() => giveUp(overtime.ms), overtime.ms - checked);
    };
    const onChecked = bounded(check, { onError: (error) => this.#control.abort(error) });
    this.#timer = setTimeout(onChecked, Math.max(checked - ms, CANARY_MS));
    canary = await (this.#canary ?? upstream.confirmCanaryPatiently(url));
    if (!this.#stopped && canary !== 'good') giveUp(ms);
  }

  /** A late answer may be slow or may never come: the canary tells. A good canary changes nothing. */
  async #checkCanary(upstream: Upstream, url: string, { ignoreCanary, overtime }: AttemptLimit): Promise<void> {
    if (overtime?.isLast()) this.#canary = upstream.confirmCanaryPatiently(url);
    if (ignoreCanary) return;
    const canary = await (this.#canary ?? upstream.confirmCanary(url));
    if (this.#stopped || canary !== 'failing') return;
    this.abandoned = !this.#deadlineReached.signal.aborted;
    this.#giveUp('canary', 'no answer yet, and its canary cannot be read either');
  }

  #giveUp(reason: Failure, message: string): void {
    this.#control.abort(new UpstreamError(reason, message));
  }
}
