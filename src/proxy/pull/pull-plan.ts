import type { Absent } from '../../failover/classify.ts';
import type { Attempt } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import type { ErrorCode } from '../../oci/error.ts';
import type { AttemptRecord, HedgeCounts, TagNote } from '../request-record.ts';
import type { AttemptResult, UpstreamRead } from './attempt-result.ts';

/**
 * The exchange that attempts are made for, or the coalesced request of several exchanges, and what is noted of the
 * attempts.
 */
export interface PullScope {
  /** Aborted when no client waits for the answer any more. */
  readonly gone: AbortSignal;
  readonly attempts: AttemptRecord[];
  readonly hedges: HedgeCounts;
  /** Milliseconds since the request began. */
  elapsed(): number;
}

export interface PullPlan {
  route: Route;
  attempts: Attempt[];
  /** The read for one attempt, in the names of its upstream. */
  reading(attempt: Attempt): UpstreamRead;
  /** No attempt outlasts a failing canary, because another plan follows this one. */
  untilCanaryFails?: boolean;
  /** Whether an attempt is made only after the others have failed, and not while they are merely slow. */
  isLastResort?: (attempt: Attempt) => boolean;
  /** What the client asked for, in its own names: `library/app:1.2`. */
  content: string;
  /** The code of the 404 if no upstream has the content. */
  absent: ErrorCode;
  /** The caller has another answer, so that no attempt is waited for when its time is over. */
  hasReserve?: boolean;
  /** Milliseconds for all attempts together. Default: the time that is left for a client to get an answer. */
  limitMs?: number;
  /**
   * Whether a good answer counts only if the upstreams before it fail, and not while they are merely slow. A tag must
   * not go back in time because its upstream is slow.
   * @param slow the upstreams that have not answered yet
   */
  provisional?: (result: Relayable, slow: ReadonlySet<string>) => boolean;
  /** The upstream that decides by the clients' own credentials what each of them may see: its 404 is final. */
  decider?: string | undefined;
  /** The same, if it may be hiding the content from this client. No other upstream answers in its place while it is well. */
  hiding?: string | undefined;
  /** The upstream that acknowledged a deletion of the content: its 404 is the answer. */
  deletedAt?: string | undefined;
  /** Called with an upstream whose 404 is believed. */
  onAbsent?: (upstream: string, absent: Absent) => void;
}

export type Relayable = Exclude<AttemptResult, { outcome: 'absent' | 'failed' }> & { attempt: Attempt };

/** The answer to a read of a manifest, and what the client is told about its tag. */
export interface TagAnswer {
  result: Relayable;
  tag?: TagNote;
}

/** The result of a coalesced read of a manifest. */
export interface ManifestRead extends TagAnswer {
  /** Why the preferred upstream did not serve, if it did not. */
  passedOver: string | undefined;
}

export const CORRUPT_COPY = 'its copy of the blob is corrupt';

/**
 * Puts attempts at corrupt copies of a blob last. A corrupt copy is only asked for a whole blob, whose digest is
 * checked before its end is sent. It is never asked for a part, because the edge cannot check a part.
 */
export function corruptCopiesLast(
  attempts: readonly Attempt[],
  isCorrupt: (upstream: string) => boolean,
  whole: boolean,
): Attempt[] {
  const intact = attempts.filter(({ upstream }) => !isCorrupt(upstream));
  if (!whole) return intact;
  const corrupt = attempts.filter(({ upstream }) => isCorrupt(upstream));
  return [...intact, ...corrupt.map((attempt) => ({ ...attempt, why: `last resort: ${CORRUPT_COPY}` }))];
}
