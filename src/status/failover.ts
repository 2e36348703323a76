import type { Failure } from '../failover/classify.ts';
import type { RequestRecord } from '../proxy/request-record.ts';

/**
 * Why the preferred upstream did not answer. Beside the failures of an attempt: `absent` (on a route with `onAbsent: next`), `refused`,
 * `slower` (cancelled because another upstream answered first) and `avoided` (not asked because of its health or a breaker).
 */
export type FailoverReason = Failure | 'absent' | 'refused' | 'slower' | 'avoided' | 'unknown';

export interface Failover {
  from: string;
  to: string;
  reason: FailoverReason;
  /** The reason as a sentence. */
  detail?: string;
}

/** The failover of a request; undefined if the preferred upstream answered, or none did. */
export function failoverOf({ upstream, preferred, attempts }: RequestRecord): Failover | undefined {
  if (upstream === undefined || preferred === undefined || upstream === preferred) return undefined;
  const attempt = attempts.find((one) => one.upstream === preferred && one.outcome !== 'served');
  const detail = attempt?.detail === undefined ? {} : { detail: attempt.detail };
  return { from: preferred, to: upstream, reason: reasonOf(attempt), ...detail };
}

function reasonOf(attempt: RequestRecord['attempts'][number] | undefined): FailoverReason {
  if (attempt === undefined) return 'avoided';
  if (attempt.outcome === 'failed') return attempt.reason ?? 'unknown';
  if (attempt.outcome === 'aborted') return 'slower';
  return attempt.outcome === 'absent' ? 'absent' : 'refused';
}
