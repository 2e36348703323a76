import type { Attempt } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import type { ErrorCode } from '../../oci/error.ts';
import type { AttemptRecord, HedgeCounts, TagNote } from '../request-record.ts';
import type { AttemptResult, UpstreamRead } from './attempt-result.ts';

/** For whom attempts are made, and what is noted of them: one client's exchange, or several that want the same. */
export interface PullScope {
  /** Aborted when nobody wants the answer any more. */
  readonly gone: AbortSignal;
  readonly attempts: AttemptRecord[];
  readonly hedges: HedgeCounts;
  /** Milliseconds since it began. */
  elapsed(): number;
}

export interface PullPlan {
  route: Route;
  attempts: Attempt[];
  /** What is read from an upstream in whose names `repository` is. */
  reading(attempt: Attempt): UpstreamRead;
  /** Nobody is waited for against the word of its canary, because another plan follows this one. */
  untilCanaryFails?: boolean;
  /** Whether an attempt is made only when those before it have failed, and not while they are merely slow. */
  isLastResort?: (attempt: Attempt) => boolean;
  /** Code of the 404 when it is nowhere. */
  absent: ErrorCode;
  /** Milliseconds that it may take all together; default: what is left of the time in which a client has an answer. */
  limitMs?: number;
  /**
   * Whether a good answer counts only when the upstreams before it have failed, and not while they are merely slow: a tag must not
   * go back in time because its upstream is.
   * @param slow the upstreams that are being asked still
   */
  provisional?: (result: Relayable, slow: ReadonlySet<string>) => boolean;
  /** Told of an upstream that said, and is believed, that it has no such thing. */
  onAbsent?: (upstream: string) => void;
}

export type Relayable = Exclude<AttemptResult, { outcome: 'absent' | 'failed' }> & { attempt: Attempt };

/** A manifest's answer, and what the client is to be told of its tag. */
export interface TagAnswer {
  result: Relayable;
  tag?: TagNote;
}

/** A manifest as it was read for all who asked for it. */
export interface ManifestRead extends TagAnswer {
  /** Why the upstream that would be asked first was not, as the plan had it. */
  passedOver: string | undefined;
}

/** Why an upstream is passed over. */
export const CORRUPT = 'its copy of the blob is rotten';

/**
 * Attempts at a blob by what is known of its copies. A rotten one is asked last for the whole, which is hashed before its end is sent and
 * may clear it; never for a part, which nobody could check.
 */
export function soundFirst(
  attempts: readonly Attempt[],
  isRotten: (upstream: string) => boolean,
  whole: boolean,
): Attempt[] {
  const sound = attempts.filter(({ upstream }) => !isRotten(upstream));
  if (!whole) return sound;
  const rotten = attempts.filter(({ upstream }) => isRotten(upstream));
  return [...sound, ...rotten.map((attempt) => ({ ...attempt, why: `last resort: ${CORRUPT}` }))];
}
