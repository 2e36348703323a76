import type { Failure } from '../../failover/classify.ts';
import type { Attempt } from '../../failover/plan.ts';
import type { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';
import type { UpstreamAnswer } from '../../upstream/upstream-call.ts';
import type { AttemptRecord } from '../request-record.ts';

/** What is to be read, in words that do not depend on the upstream. */
export interface UpstreamRead {
  method: 'GET' | 'HEAD';
  /** Path and query below the upstream's URL, in its names. */
  path: string;
  headers: Record<string, string>;
  scopes: string[];
  clientAuthorization: string | undefined;
  /** Small answers are read whole, and proven against `digest`, before a byte goes out. In bytes; undefined: streamed. */
  wholeUpTo: number | undefined;
  /** Digest that the body must have, where the request names it. */
  digest: string | undefined;
  /** See `UpstreamCall`. */
  keep?: boolean;
  /** The ledger knows that it is there, so that a 404 is a failure. */
  known?: boolean;
  /** Instead of the upstream's setting. */
  redirects?: 'follow';
  /** Why a good answer is not the one that is needed, if it is not. */
  unfit?: (answer: AnswerHead) => string | undefined;
}

export type AnswerHead = Pick<UpstreamAnswer, 'status' | 'headers' | 'redirected' | 'url'>;

/** An answer that can be relayed. `body` is a Buffer where it was read whole. */
export interface Served {
  answer: AnswerHead;
  body: Buffer | PrimedBody | undefined;
  permit: Pick<AttemptPermit, 'reportEnd'>;
}

export type AttemptResult =
  | ({ outcome: 'served' | 'redirect' | 'refused' } & Served)
  | { outcome: 'absent'; confirmed: boolean }
  /** `early`: given up before its deadline, because the canary failed too; it may yet answer. */
  | { outcome: 'failed'; reason: Failure; detail: string; abandoned?: boolean };

/** Where a copy lies; the repository in the upstream's names. */
export interface CopyPlace {
  upstream: string;
  repository: string;
  digest: string;
}

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

/** Lets go of an answer that came too late. */
export function discardAnswer(result: AttemptResult): void {
  if (!('permit' in result)) return;
  if (result.body !== undefined && !Buffer.isBuffer(result.body)) result.body.destroy();
  result.permit.reportEnd('neutral');
}
