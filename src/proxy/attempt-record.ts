import type { Attempt } from '../failover/plan.ts';
import type { AttemptResult } from './pull/attempt.ts';
import type { AttemptRecord } from './request-record.ts';

/** What is noted of an attempt that is over. @param ms milliseconds that it took */
export function attemptRecord(attempt: Attempt, result: AttemptResult, ms: number): AttemptRecord {
  return {
    upstream: attempt.upstream,
    url: attempt.url,
    class: attempt.class,
    outcome: result.outcome === 'redirect' ? 'served' : result.outcome,
    ...('reason' in result ? { reason: result.reason, detail: result.detail } : {}),
    ...('answer' in result ? { status: result.answer.status } : {}),
    ms,
  };
}
