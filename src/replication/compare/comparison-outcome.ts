import type { ComparisonResult } from './route-comparison.ts';

/** Milliseconds after which a failed comparison is repeated, unless `every` is shorter. */
export const RETRY_MS = 60_000;
/** The same for a comparison that failed for some repositories only. */
const PARTIAL_RETRY_MS = 600_000;
/** The same for a comparison that saw deletions for the first time, so that an edge which restarts often follows them too. */
const CONFIRM_MS = 600_000;

/** Milliseconds until the next comparison. */
export function pauseAfter({ failed, repositories, unconfirmed }: ComparisonResult, every: number): number {
  if (failed !== null) return Math.min(every, repositories > 0 ? PARTIAL_RETRY_MS : RETRY_MS);
  return unconfirmed > 0 ? Math.min(every, CONFIRM_MS) : every;
}

/** The result for the log. @param waiting tags that wait for the operator */
export function outcomeText({ tags, repositories, gaps, unconfirmed }: ComparisonResult, waiting: number): string {
  return [
    `${tags} tags in ${repositories} repositories, ${gaps} to copy`,
    ...(unconfirmed > 0 ? [`${unconfirmed} deleted, if the next comparison finds so too`] : []),
    ...(waiting > 0 ? [`${waiting} wait for the operator`] : []),
  ].join(', ');
}
