import { UpstreamError } from '../upstream/upstream-error.ts';

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

/** The clocks of who brings a body; they run only while it is waited for. */
export class LegClock {
  readonly #limits: PaceLimits;
  readonly #pace: Pace;
  #timer: NodeJS.Timeout | undefined;
  #silent = false;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
    this.#pace = new Pace(limits);
  }

  /** @param onStall called once, if no byte comes for too long */
  start(onStall: (error: UpstreamError) => void): void {
    const { stallMs } = this.#limits;
    this.#pace.wait(performance.now());
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      this.#silent = true;
      // A process that was held up finds its timers due before it sees what has come meanwhile.
      setImmediate(() => {
        if (this.#silent && this.#timer === timer)
          onStall(new UpstreamError('stall', `no byte for ${Math.round(stallMs)} ms`));
      });
    }, stallMs);
    this.#timer = timer;
  }

  /** @returns why somebody else is to be looked for, if it brings too little */
  took(bytes: number): UpstreamError | undefined {
    this.#silent = false;
    this.#timer?.refresh();
    const missed = this.#pace.took(bytes, performance.now());
    if (!missed) return undefined;
    const { rate, ms } = missed;
    return new UpstreamError('stall', `less than ${Math.round(rate)} bytes a second for ${ms / 1000} s`);
  }

  stop(): void {
    this.#pace.hold(performance.now());
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
