import { type ErrorCode, OciError } from '../oci/error.ts';
import type { Failure } from './classify.ts';

/** How an attempt that did not serve ended, as far as the reply depends on it. */
export interface AttemptEnding {
  upstream: string;
  outcome: 'absent' | 'failed';
  reason?: Failure;
}

const RETRY_AFTER_SECONDS = 5;

/**
 * The reply when no attempt served: 404 only if every upstream that was asked said absent; if one failed, 503 (rule 4).
 * @param absent code of the 404: MANIFEST_UNKNOWN, BLOB_UNKNOWN or NAME_UNKNOWN
 */
export function conclude(endings: readonly AttemptEnding[], absent: ErrorCode): OciError {
  const failed = endings.filter((ending) => ending.outcome === 'failed');
  if (endings.length > 0 && failed.length === 0) return new OciError(absent);
  const told = [...new Set(failed.map((ending) => `${ending.upstream}: ${ending.reason ?? 'failed'}`))].join('; ');
  return new OciError('UNAVAILABLE', `no upstream could answer${told === '' ? '' : ` (${told})`}; try again`, {
    retryAfter: RETRY_AFTER_SECONDS,
  });
}

/**
 * Whether an absence is the answer: it was confirmed, it is that of the route's first upstream (a fallback may be behind), and the
 * route does not say `onAbsent: next`.
 */
export function isAbsenceFinal(
  { confirmed, preferred }: { confirmed: boolean; preferred: boolean },
  onAbsent: 'stop' | 'next',
): boolean {
  return confirmed && preferred && onAbsent === 'stop';
}
