/** What is known of a listener that is stopping and still holds its address. Durations are in milliseconds. */
export interface HoldState {
  /** Since the stop began. */
  elapsed: number;
  /** The time that what is under way has. */
  timeout: number;
  /** Whether the VIP is on this machine. Undefined: a load balancer decides. */
  vipHere: boolean | undefined;
  /** Requests, connections that may still send their first one, and replies that their clients have not acknowledged. */
  underWay: number;
  /** For how long the oldest of these has been under way. */
  oldest: number;
  /** For how long nothing has been under way. */
  quiet: number;
  /** Whether new connections are ignored, and for how long that has been so. Undefined: they cannot be ignored here. */
  door: { closed: boolean; since: number } | undefined;
  /** Idle connections were told to close, so nothing comes over them any more. */
  settled: boolean;
  /** What could not finish was cut at the end of the time. */
  cutLong: boolean;
}

export type HoldStep = 'wait' | 'ignore-new' | 'take-new' | 'cut-long' | 'over';

/** Why the hold is over. `quiet`: nothing is under way. `timeout`: the time is over. `vip-lost`: keepalived has moved the VIP by itself. */
export type HoldEnd = 'quiet' | 'timeout' | 'vip-lost';

/**
 * Requests that have run for less than this will probably end while new connections wait. A client repeats its first packet after one second,
 * then after two more.
 */
export const SHORT_MS = 1000;
/** New connections wait for at most this long. */
export const IGNORE_MS = 1500;
/** Time between two tries, in which those that waited are served. */
export const RETRY_MS = 5000;
/** What has run for longer than this at the end of the time is cut then. The rest has as long again: without new connections, it soon ends. */
export const LAST_MS = 5000;
/** Connections that the kernel has accepted already show up within this time. */
export const QUIET_MS = 50;

/**
 * Decides what a stopping edge does next. On a busy edge there is no moment in which nothing is under way, so new connections are ignored for a
 * moment once only short requests run: the clients repeat their first packet, and reach the node that has the VIP then.
 */
export function nextHoldStep(state: HoldState): HoldStep {
  const end = holdEnd(state);
  if (end !== undefined && (end !== 'timeout' || state.cutLong)) return 'over';
  const { door, underWay, oldest, elapsed, timeout, settled, cutLong } = state;
  if (elapsed >= timeout && !cutLong) return 'cut-long';
  if (!door) return 'wait';
  // At the end of the time, whatever is short ends by itself before the rest is cut.
  const last = elapsed >= timeout - IGNORE_MS;
  if (door.closed) return !last && underWay > 0 && door.since >= IGNORE_MS ? 'take-new' : 'wait';
  if (last) return 'ignore-new';
  if (!settled) return 'wait';
  if (underWay === 0) return 'ignore-new';
  return oldest < SHORT_MS && door.since >= RETRY_MS ? 'ignore-new' : 'wait';
}

/** Undefined: the hold goes on. */
export function holdEnd(state: HoldState): HoldEnd | undefined {
  const { vipHere, elapsed, timeout, underWay, quiet, door, settled } = state;
  if (vipHere === false) return 'vip-lost';
  // Nobody who is idle at the end of the time is waited for.
  const calm = (settled || elapsed >= timeout) && underWay === 0 && (door ? door.closed && quiet >= QUIET_MS : true);
  if (calm) return 'quiet';
  return elapsed >= timeout + (door ? LAST_MS : 0) ? 'timeout' : undefined;
}
