import { monotonicNow } from '../clock/clock.ts';
import { STEP_MS } from '../failover/heard-time.ts';

/** Times further ahead than this are refused. Milliseconds. */
export const MAX_AHEAD_MS = 300_000;

/**
 * A hybrid logical clock in monotonic milliseconds. It never steps, never gives the same time twice, and never falls behind an observation
 * of another edge. With the host's own clock, a host that is set back would take new pushes for older ones, and one that is set forward
 * would forget all tags as too old.
 */
export class LedgerClock {
  /** The clock itself, which may show the same time twice. Milliseconds. */
  readonly monotonic: () => number;
  #last = 0;

  constructor(monotonic: () => number = monotonicNow) {
    this.monotonic = monotonic;
  }

  now(): number {
    this.#last = Math.max(this.monotonic(), this.#last + STEP_MS);
    return this.#last;
  }

  /** Whether a time is plausible. All times given later are greater. */
  observe(at: number): boolean {
    if (at <= this.#last) return true;
    if (!(at <= this.monotonic() + MAX_AHEAD_MS)) return false;
    this.#last = at;
    return true;
  }
}
