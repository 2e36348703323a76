/** Differences of the two clocks below this many milliseconds are rounding and slewing, so shown times do not flicker. */
const STEADY_MS = 500;

/** Milliseconds by which the clocks of two hosts may differ until tokens of one are refused by the other. JWTs of issuers have as much. */
export const CLOCK_TOLERANCE_MS = 30_000;

/** Both clocks at one moment. */
export interface ClockReading {
  /** Of `monotonicNow`. */
  monotonic: number;
  /** Epoch milliseconds by the host's clock. */
  wall: number;
}

/**
 * Wall time at which `performance.now` was 0. A host without a battery for its clock may start in 1970; ages that reach back before that
 * would become negative times.
 */
const ORIGIN = Math.max(performance.timeOrigin, Date.UTC(2020));

/** Wall time minus monotonic time, as it was last seen. */
let difference = 0;

/**
 * Milliseconds that never step: the host's clock at the start of this process, and from there the monotonic clock. Every duration, age and
 * deadline is measured with it (rule 12). Its times look like epoch milliseconds, and mean nothing to another process.
 */
export function monotonicNow(): number {
  return ORIGIN + performance.now();
}

export function readClocks(): ClockReading {
  const monotonic = monotonicNow();
  const now = Date.now() - monotonic;
  if (Math.abs(now - difference) > STEADY_MS) difference = now;
  return { monotonic, wall: monotonic + difference };
}

/** The wall time of a monotonic time, by the host's clock as it is at the reading: what an operator is shown. */
export function wallTime(at: number, { monotonic, wall }: ClockReading): number {
  return wall - (monotonic - at);
}

/** A monotonic time as people and JSON get it: ISO 8601 in UTC. */
export function isoTime(at: number, reading: ClockReading = readClocks()): string {
  return new Date(wallTime(at, reading)).toISOString();
}
