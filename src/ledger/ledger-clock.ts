/** Times of other edges further ahead than this are refused. Milliseconds. */
export const MAX_AHEAD_MS = 300_000;
/** Distance of two times within one millisecond; epoch milliseconds as doubles can still tell them apart. */
const STEP_MS = 1 / 1024;

/**
 * A hybrid logical clock in epoch milliseconds. It follows the host's clock, never goes back, never gives the same time twice, and never
 * falls behind a time of another edge. Without it a host whose clock is set back would take new pushes for older ones.
 */
export class LedgerClock {
  readonly #wall: () => number;
  #last = 0;

  /** @param wall the host's clock in epoch milliseconds */
  constructor(wall: () => number = Date.now) {
    this.#wall = wall;
  }

  now(): number {
    this.#last = Math.max(this.#wall(), this.#last + STEP_MS);
    return this.#last;
  }

  /** Whether a time is plausible. All times given later are greater. */
  observe(at: number): boolean {
    if (at <= this.#last) return true;
    if (!(at <= this.#wall() + MAX_AHEAD_MS)) return false;
    this.#last = at;
    return true;
  }
}
