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
  // Pushes that are all in doubt keep their order: the later one comes after the read by a little more.
  return isInDoubt ? Math.max(at, shown.confirmedAt + STEP_MS * (1 + latest - shown.confirmedAt)) : at;
}

/**
 * What another edge tells of a tag, with its times as this edge has to see them. A state that was pushed is as new as its push is known to be.
 * Where the order of a read and a write is in doubt, the read counts as the older one, on either side. A deletion counts as a write here; a
 * push counts as later than a deletion.
 * @param mine what this edge knows of the tag
 * @param doubt milliseconds by which a told moment is mistaken at most
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
  const [newest] = mine;
  // Most tags were only read.
  const isWritten = [...mine.slice(0, 1), ...theirs].some(
    ({ digest }) => digest === null || pushedAt(digest) !== undefined,
  );
  if (!isWritten) return theirs;
  if (!newest)
    return merge(
      [],
      theirs.map((state) => asPushed(state, timeOf(state.digest))),
    );
  const lastWrite = newest.digest === null ? newest.confirmedAt : timeOf(newest.digest);
  // What the other edge knows to have come after that write is not in doubt.
  const told = theirs.find(({ digest }) => digest === newest.digest)?.confirmedAt ?? Number.NEGATIVE_INFINITY;
  const toldWrite = told < lastWrite - doubt ? Number.POSITIVE_INFINITY : told;
  const knownGone = mine.find(({ digest }) => digest === null)?.confirmedAt ?? Number.NEGATIVE_INFINITY;
  const seen = theirs.map((state): TagEntry => {
    const { digest, since, confirmedAt } = state;
    if (digest === newest.digest) return asPushed(state, timeOf(digest));
    const pushed = timeOf(digest);
    const isRead = pushed < lastWrite && confirmedAt >= lastWrite && confirmedAt <= toldWrite;
    if (isRead && confirmedAt - doubt < lastWrite) {
      const at = Math.max(pushed, lastWrite - STEP_MS);
      return { digest, since: Math.min(since, at), confirmedAt: at };
    }
    // This edge has read the tag, and may have done so before it was deleted. It has not if it knew of the deletion.
    const isGone = digest === null && lastWrite < confirmedAt - doubt && knownGone < confirmedAt - doubt;
    const isInDoubt = isGone && newest.confirmedAt >= confirmedAt && newest.confirmedAt - doubt < confirmedAt;
    return isInDoubt ? { ...state, confirmedAt: newest.confirmedAt + STEP_MS } : asPushed(state, pushed);
  });
  // Newest first.
  return merge([], seen);
}

function asPushed({ digest, since, confirmedAt }: TagEntry, pushedAt: number): TagEntry {
  return { digest, since, confirmedAt: Math.max(confirmedAt, pushedAt) };
}
