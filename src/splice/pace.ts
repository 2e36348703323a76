/** How slow an upstream may be. */
export interface PaceLimits {
  /** Milliseconds without a byte after which it has stalled. */
  stallMs: number;
  /** Bytes a second, … */
  minRate: number;
  /** … on average over so many milliseconds. */
  rateWindowMs: number;
}

/** So many bytes a second at least, on average over so many milliseconds. */
export interface Floor {
  rate: number;
  ms: number;
}

/** A trickle is next to nothing: this share of the lowest rate is missed within the time of a stall only by who is as good as stalled. */
const TRICKLE = 1 / 16;

/** What came since a floor was last looked at. */
interface Span {
  floor: Floor;
  waitedMs: number;
  bytes: number;
}

/** How fast an upstream brings a body: only time that it was waited for counts, so that a client that reads slowly is nobody's fault. */
export class Pace {
  readonly #spans: readonly Span[];
  #waitingSince: number | undefined;

  constructor({ stallMs, minRate, rateWindowMs }: PaceLimits) {
    const floors = [
      { rate: minRate, ms: rateWindowMs },
      { rate: minRate * TRICKLE, ms: stallMs },
    ];
    this.#spans = floors.map((floor) => ({ floor, waitedMs: 0, bytes: 0 }));
  }

  /** @param now milliseconds of a clock that only goes forward */
  wait(now: number): void {
    this.#waitingSince ??= now;
  }

  hold(now: number): void {
    if (this.#waitingSince !== undefined) for (const span of this.#spans) span.waitedMs += now - this.#waitingSince;
    this.#waitingSince = undefined;
  }

  /** Bytes came. @returns the floor whose time is over and in which too few came */
  took(bytes: number, now: number): Floor | undefined {
    this.hold(now);
    this.#waitingSince = now;
    let missed: Floor | undefined;
    for (const span of this.#spans) {
      span.bytes += bytes;
      if (span.waitedMs < span.floor.ms) continue;
      if (span.bytes / (span.waitedMs / 1000) < span.floor.rate) missed ??= span.floor;
      span.waitedMs = 0;
      span.bytes = 0;
    }
    return missed;
  }
}
