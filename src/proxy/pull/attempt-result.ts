import type { Absent, Failure } from '../../failover/classify.ts';
import type { ContentTrust } from '../../failover/lost-content.ts';
import type { Attempt } from '../../failover/plan.ts';
import type { ContentKind } from '../../oci/answer-content.ts';
import type { UpstreamWords } from '../../oci/error.ts';
import type { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';
import type { UpstreamAnswer, UpstreamCall } from '../../upstream/upstream-call.ts';
import type { AttemptRecord } from '../request-record.ts';

/** A read of an upstream, in terms that are the same for every upstream. */
export interface UpstreamRead extends Omit<UpstreamCall, 'signal' | 'redirects'> {
  method: 'GET' | 'HEAD';
  content: ContentKind;
  /**
   * Answers of up to so many bytes are read whole and checked against `digest` before a byte goes to the client.
   * Undefined: the answer is streamed.
   */
  wholeUpTo?: number | undefined;
  /** The digest that the body must have, if the request names one. */
  digest?: string | undefined;
  /** The ledger knows that the upstream has had the content, so that a 404 is not final. */
  known?: boolean;
  /** The request carries the edge's own credentials even where those of clients are forwarded. */
  own?: boolean;
  /** The edge itself has checked that the client may read the content. */
  permitted?: boolean;
  /** Asked at a 404: whether the upstream is believed (rule 9). Undefined: its own answer counts, because the client may push. */
  trust?: () => Promise<ContentTrust>;
  /** The upstream acknowledged that the content was deleted. */
  deleted?: boolean;
  /** Puts an error body into the client's names. */
  inClientNames?: (body: Buffer) => Buffer;
  /** The answer lists everything, so an empty list is believed only like a 404. */
  wholeList?: boolean;
  /** Overrides the upstream's setting. */
  redirects?: 'follow';
  /** Why a good answer does not fit, such as another length. Undefined: it fits. */
  unfit?: (answer: AnswerHead) => string | undefined;
}

export type AnswerHead = Pick<UpstreamAnswer, 'status' | 'headers' | 'redirected' | 'url'>;

/** An answer that can be relayed. `body` is a Buffer if it was read whole. */
export interface Served {
  answer: AnswerHead;
  body: Buffer | PrimedBody | undefined;
  permit: Pick<AttemptPermit, 'reportEnd'>;
}

/** What an upstream said about what it does not have, or does not give now. */
export interface AbsenceAnswer {
  words?: UpstreamWords | undefined;
  /** Milliseconds that a rate-limited upstream asked to wait. */
  retryAfterMs?: number | undefined;
  /** The answer was a list without entries, and not a 404. */
  emptyList?: Served;
}

export type AttemptResult =
  | ({ outcome: 'served' | 'redirect' | 'refused' } & Served)
  | (Absent & AbsenceAnswer)
  /**
   * `abandoned`: given up before its deadline, because the canary failed too. The upstream may still answer.
   * `forClient`: the upstream may be hiding the content from this client, and is well.
   */
  | ({ outcome: 'failed'; reason: Failure; detail: string; abandoned?: boolean; forClient?: boolean } & AbsenceAnswer);

/** The place of a blob's copy. The repository is in the upstream's names. */
export interface BlobCopy {
  upstream: string;
  repository: string;
  digest: string;
}

/** Records an attempt that is over. @param started on the clock of `performance.now` */
export function recordAttempt(
  { attempts }: { attempts: AttemptRecord[] },
  { upstream, url, class: trafficClass }: Attempt,
  result: AttemptResult,
  started: number,
): void {
  attempts.push({
    upstream,
    url,
    class: trafficClass,
    outcome: result.outcome === 'redirect' ? 'served' : result.outcome,
    ...('reason' in result ? { reason: result.reason, detail: result.detail } : {}),
    ...('answer' in result ? { status: result.answer.status } : {}),
    ms: Math.round(performance.now() - started),
  });
}

/** Discards an answer that came too late. */
export function discardAnswer(result: AttemptResult): void {
  if (!('permit' in result)) return;
  if (result.body !== undefined && !Buffer.isBuffer(result.body)) result.body.destroy();
  result.permit.reportEnd('neutral');
}
