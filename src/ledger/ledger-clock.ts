/** Entries of others that are further ahead of this host's clock than this are not believed. Milliseconds. */
export const MAX_AHEAD_MS = 300_000;
/** Between two times that are told in the same millisecond; doubles of this size still tell such steps apart. */
const STEP_MS = 1 / 1024;

/**
 * Times of observations, in epoch milliseconds: the host's clock, but never back and never the same time twice, and never behind a
 * time that was learnt from another node (a hybrid logical clock). Without it a host whose clock is set back would take each push of
 * the next minutes for older than what it knew before.
 */
export class LedgerClock {
  readonly #wall: () => number;
  #last = 0;

  /** @param wall the host's clock, epoch milliseconds */
  constructor(wall: () => number = Date.now) {
    this.#wall = wall;
  }

  now(): number {
    this.#last = Math.max(this.#wall(), this.#last + STEP_MS);
    return this.#last;
  }

  /** Whether a time is one of this clock's own or can be taken from another node; all times told from now on are later. */
  observe(at: number): boolean {
    if (at <= this.#last) return true;
    if (!(at <= this.#wall() + MAX_AHEAD_MS)) return false;
    this.#last = at;
    return true;
  }
}
