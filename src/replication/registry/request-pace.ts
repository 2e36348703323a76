import { setTimeout as wait } from 'node:timers/promises';
import { monotonicNow } from '../../clock/clock.ts';

export interface RequestPaceOptions {
  now?: () => number;
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Spreads requests evenly: so many a second at most, in the order in which they ask for their turn. */
export class RequestPace {
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** When the next request may be sent; monotonic milliseconds. */
  #nextAt = 0;

  constructor(
    perSecond: number,
    {
      now = monotonicNow,
      wait: pause = (ms, signal) => wait(ms, undefined, { signal, ref: false }),
    }: RequestPaceOptions = {},
  ) {
    this.#intervalMs = 1000 / perSecond;
    this.#now = now;
    this.#wait = pause;
  }

  /** Resolves when the next request may be sent. @throws the signal's reason */
  async turn(signal: AbortSignal): Promise<void> {
    const now = this.#now();
    const at = Math.max(now, this.#nextAt);
    this.#nextAt = at + this.#intervalMs;
    if (at > now) await this.#wait(at - now, signal);
  }
}
