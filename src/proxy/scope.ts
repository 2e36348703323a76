import type { AttemptRecord, HedgeCounts } from './request-record.ts';

/** For whom attempts are made, and what is noted of them: one client's exchange, or several that want the same. */
export interface PullScope {
  /** Aborted when nobody wants the answer any more. */
  readonly gone: AbortSignal;
  readonly attempts: AttemptRecord[];
  readonly hedges: HedgeCounts;
  /** Milliseconds since it began. */
  elapsed(): number;
}
