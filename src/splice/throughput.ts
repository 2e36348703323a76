import { UpstreamError } from '../upstream/upstream-error.ts';

/** How slow an upstream may be before another one replaces it. */
export interface ThroughputLimits {
  /** Milliseconds without a byte after which the upstream counts as stalled. */
  stallMs: number;
  /** Minimum bytes a second, on average over `rateWindowMs`. */
  minRate: number;
  /** Milliseconds over which `minRate` is measured. */
  rateWindowMs: number;
}

/** At least `rate` bytes a second, on average over `ms` milliseconds. */
export interface MinimumRate {
  rate: number;
  ms: number;
}

/**
 * An upstream that sends less than this share of `minRate` for `stallMs` counts as stalled too: a trickle is no
 * progress.
 */
const TRICKLE_SHARE = 1 / 16;

/** The time waited and the bytes received since a minimum was last checked. */
interface RateWindow extends MinimumRate {
  waitedMs: number;
  bytes: number;
}

/**
 * Measures how fast an upstream sends a body. Only time spent waiting for the upstream counts, so a client that reads
 * slowly never makes an upstream look slow.
 */
export class ThroughputMeter {
  readonly #windows: readonly RateWindow[];
  #waitingSince: number | undefined;

  constructor({ stallMs, minRate, rateWindowMs }: ThroughputLimits) {
    this.#windows = [
      { rate: minRate, ms: rateWindowMs, waitedMs: 0, bytes: 0 },
      { rate: minRate * TRICKLE_SHARE, ms: stallMs, waitedMs: 0, bytes: 0 },
    ];
  }

  /** @param now milliseconds of a monotonic clock */
  startWaiting(now: number): void {
    this.#waitingSince ??= now;
  }

  stopWaiting(now: number): void {
    if (this.#waitingSince !== undefined) for (const span of this.#windows) span.waitedMs += now - this.#waitingSince;
    this.#waitingSince = undefined;
  }

  /** @returns the minimum rate that the upstream has missed, if any */
  addBytes(bytes: number, now: number): MinimumRate | undefined {
    this.stopWaiting(now);
    this.#waitingSince = now;
    let missed: MinimumRate | undefined;
    for (const span of this.#windows) {
      span.bytes += bytes;
      if (span.waitedMs < span.ms) continue;
      if (span.bytes / (span.waitedMs / 1000) < span.rate) missed ??= span;
      span.waitedMs = 0;
      span.bytes = 0;
    }
    return missed;
  }
}

/** Stall timer and throughput of one leg. Both run only while the transfer waits for the upstream. */
export class StallDetector {
  readonly #limits: ThroughputLimits;
  readonly #meter: ThroughputMeter;
  #timer: NodeJS.Timeout | undefined;
  #silent = false;

  constructor(limits: ThroughputLimits) {
    this.#limits = limits;
    this.#meter = new ThroughputMeter(limits);
  }

  /** @param onStall called once when no byte arrives for `stallMs` */
  start(onStall: (error: UpstreamError) => void): void {
    const { stallMs } = this.#limits;
    this.#meter.startWaiting(performance.now());
    clearTimeout(this.#timer);
    const timer = setTimeout(() => {
      this.#silent = true;
      // A process that was blocked finds its timers due before it reads the bytes that arrived meanwhile.
      setImmediate(() => {
        if (this.#silent && this.#timer === timer)
          onStall(new UpstreamError('stall', `no byte arrived for ${Math.round(stallMs)} ms`));
      });
    }, stallMs);
    this.#timer = timer;
  }

  /** @returns an error when the upstream is too slow */
  addBytes(bytes: number): UpstreamError | undefined {
    this.#silent = false;
    this.#timer?.refresh();
    const missed = this.#meter.addBytes(bytes, performance.now());
    if (!missed) return undefined;
    const { rate, ms } = missed;
    return new UpstreamError('stall', `less than ${Math.round(rate)} bytes a second for ${ms / 1000} s`);
  }

  stop(): void {
    this.#meter.stopWaiting(performance.now());
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
