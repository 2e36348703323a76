import type { AttemptResult } from './pull/attempt.ts';

/** Lets go of an answer that came too late. */
export function discardAnswer(result: AttemptResult): void {
  if (!('lease' in result)) return;
  if (result.body !== undefined && !Buffer.isBuffer(result.body)) result.body.destroy();
  result.lease.ended('neutral');
}
