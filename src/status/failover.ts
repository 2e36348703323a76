import type { Failure } from '../failover/classify.ts';
import type { RequestRecord } from '../proxy/request-record.ts';

/**
 * Why the preferred upstream did not answer. Beside the failures of an attempt: `absent` (and the route goes on then), `refused`,
 * `slower` (its attempt was called off because another answered first) and `avoided` (its health or a breaker spoke against asking).
 */
export type FailoverReason = Failure | 'absent' | 'refused' | 'slower' | 'avoided' | 'unknown';

export interface Failover {
  from: string;
  to: string;
  reason: FailoverReason;
  /** In words. */
  detail: string | undefined;
}

/** The failover that a request was, if it was one: another upstream than the preferred one answered. */
export function failoverOf({ upstream, preferred, attempts }: RequestRecord): Failover | undefined {
  if (upstream === undefined || preferred === undefined || upstream === preferred) return undefined;
  const attempt = attempts.find((one) => one.upstream === preferred && one.outcome !== 'served');
  return { from: preferred, to: upstream, reason: reasonOf(attempt), detail: attempt?.detail };
}

function reasonOf(attempt: RequestRecord['attempts'][number] | undefined): FailoverReason {
  if (attempt === undefined) return 'avoided';
  if (attempt.outcome === 'failed') return attempt.reason ?? 'unknown';
  if (attempt.outcome === 'aborted') return 'slower';
  return attempt.outcome === 'absent' ? 'absent' : 'refused';
}
