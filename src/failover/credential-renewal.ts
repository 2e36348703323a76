/** When credentials that a program or a service gives are asked for again. All times are milliseconds. */

/**
 * Google's metadata server gives the same token again until four minutes before its end, so its libraries ask 225 s before it
 * (golang.org/x/oauth2, google/google.go, May 2024).
 */
const LEAD_MS = 225_000;
/** A token that is about to end, or whose times are wrong, must not make a loop. */
const LEAST_MS = 5_000;
const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 60_000;
/** An upstream that refuses good credentials must not make a loop either. */
export const REFUSED_EVERY_MS = 30_000;

/**
 * @param everyMs as configured
 * @param endsInMs what is known of the end of the credentials; undefined: nothing
 * @returns how long they are used before they are renewed
 */
export function renewAfter(everyMs: number, endsInMs: number | undefined): number {
  if (endsInMs === undefined) return everyMs;
  const lead = Math.min(LEAD_MS, endsInMs / 4);
  return Math.min(everyMs, Math.max(LEAST_MS, endsInMs - lead));
}

/** @param failures in a row, at least 1 */
export function retryAfter(failures: number): number {
  return Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10));
}
