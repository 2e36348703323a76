import type { CanaryState } from './view.ts';

/** What a pull has when the time of one of its attempts is over. */
export interface Remainder {
  /** The attempt had a place at once. Otherwise, it has waited for one. */
  hadPlace: boolean;
  /** Attempts that have not begun. */
  queued: number;
  /** Other attempts under way. */
  others: number;
  /** There is an answer that is relayed if no better one comes. */
  reserved: boolean;
}

/** Whether no other attempt can answer. */
export function isLast({ queued, others, reserved }: Omit<Remainder, 'hadPlace'>): boolean {
  return queued === 0 && others === 0 && !reserved;
}

/**
 * Whether an attempt goes on when its time is over, because it may turn out to be the last one (rule 11). The next attempt begins as if this
 * one had failed, and no other begins because it goes on. An attempt that had to wait for a place ends instead, unless it is the last one:
 * its upstream is overloaded.
 */
export function goesOn(remainder: Remainder): boolean {
  return !remainder.reserved && (remainder.hadPlace || isLast(remainder));
}

/**
 * Whether an attempt goes on when the time of all attempts is over. Only one does: the first.
 * @param canary of its upstream, as read since the attempt began
 * @param earlier attempts that began before it and are under way
 */
export function outlastsOthers(canary: CanaryState | undefined, earlier: number): boolean {
  return canary === 'good' && earlier === 0;
}
