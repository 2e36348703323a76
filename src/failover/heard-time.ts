import { merge, type TagEntry, type TagHistory } from './tag-history.ts';

/** A moment of another edge, in the time of this one. */
export interface TimeBounds {
  earliest: number;
  latest: number;
}

/** Distance of two times within one millisecond; epoch milliseconds as doubles can still tell them apart. */
export const STEP_MS = 1 / 1024;

/** Milliseconds within which two tellings of a digest of a tag are one push: edges know each other's clocks better than that. */
const SAME_PUSH_MS = 1000;

/**
 * Whether another edge tells a push that is known. Its time there may have become a little later: it was told from edge to edge, and with
 * each telling it would grow. Another push in between shows that the digest was pushed again.
 * @param earliest when it can have been acknowledged
 * @param known pushes of the tag
 */
export function isToldAgain(
  digest: string,
  earliest: number,
  known: readonly { digest: string; at: number }[],
): boolean {
  const same = known.find((push) => push.digest === digest);
  if (!same) return false;
  const later = known.filter(({ at }) => at > same.at).map(({ at }) => at);
  return earliest <= Math.min(same.at + SAME_PUSH_MS, ...later);
}

/**
 * When a push counts as acknowledged that another edge tells. The clocks of two edges can be compared only within bounds, so a read of this
 * edge may be older or newer than the push. Then it counts as older: if the tag has been moved again since, the next read shows it, but
 * nothing would show that the tag passes for current as it was before the push.
 * @param at the likeliest time
 * @param mine what this edge knows of the tag
 * @param pushedAt when an upstream acknowledged a push of the tag with this digest; undefined: it is not known to have
 */
export function heardPushAt(
  { digest, at }: { digest: string; at: number },
  { earliest, latest }: TimeBounds,
  mine: TagHistory,
  pushedAt: (digest: string) => number | undefined,
): number {
  const [shown] = mine;
  if (!shown || shown.digest === digest) return at;
  const wasPushed = shown.digest === null ? undefined : pushedAt(shown.digest);
  const wasRead = wasPushed === undefined || wasPushed < earliest;
  const isInDoubt = wasRead && earliest <= shown.confirmedAt && shown.confirmedAt <= latest;
  return isInDoubt ? Math.max(at, shown.confirmedAt + STEP_MS) : at;
}

/**
 * What another edge tells of a tag, with its times as this edge has to see them. A state that was pushed is as new as its push is known to be.
 * What was read there when the push of this edge's newest state may not yet have been acknowledged counts as older than the push.
 * @param mine what this edge knows of the tag
 * @param doubt milliseconds by which a told moment may have been earlier
 * @param pushedAt when an upstream acknowledged a push of the tag with this digest; undefined: it is not known to have
 */
export function heardHistory(
  theirs: TagHistory,
  mine: TagHistory,
  doubt: number,
  pushedAt: (digest: string) => number | undefined,
): TagHistory {
  const timeOf = (digest: string | null) =>
    (digest === null ? undefined : pushedAt(digest)) ?? Number.NEGATIVE_INFINITY;
  const newest = mine[0]?.digest ?? null;
  const lastPush = timeOf(newest);
  const seen = theirs.map(({ digest, since, confirmedAt }): TagEntry => {
    const pushed = timeOf(digest);
    const isInDoubt =
      digest !== newest && pushed < lastPush && confirmedAt >= lastPush && confirmedAt - doubt <= lastPush;
    const at = Math.max(pushed, isInDoubt ? lastPush - STEP_MS : confirmedAt);
    return { digest, since: Math.min(since, at), confirmedAt: at };
  });
  // Newest first.
  return merge([], seen);
}
