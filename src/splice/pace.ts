/** How slow an upstream may be. */
export interface PaceLimits {
  /** Milliseconds without a byte after which it has stalled. */
  stallMs: number;
  /** Bytes a second, … */
  minRate: number;
  /** … on average over so many milliseconds. */
  rateWindowMs: number;
}

/** How fast an upstream brings a body: only time that it was waited for counts, so that a client that reads slowly is nobody's fault. */
export class Pace {
  readonly #limits: PaceLimits;
  #waitedMs = 0;
  #bytes = 0;
  #waitingSince: number | undefined;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** @param now milliseconds of a clock that only goes forward */
  wait(now: number): void {
    this.#waitingSince ??= now;
  }

  hold(now: number): void {
    if (this.#waitingSince !== undefined) this.#waitedMs += now - this.#waitingSince;
    this.#waitingSince = undefined;
  }

  /** Bytes came. @returns whether the window is over and too few came in it */
  took(bytes: number, now: number): boolean {
    this.hold(now);
    this.#waitingSince = now;
    this.#bytes += bytes;
    if (this.#waitedMs < this.#limits.rateWindowMs) return false;
    const slow = this.#bytes / (this.#waitedMs / 1000) < this.#limits.minRate;
    this.#waitedMs = 0;
    this.#bytes = 0;
    return slow;
  }
}
