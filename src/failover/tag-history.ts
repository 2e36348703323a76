/** One state of a tag at the push upstream. Times are those of a `LedgerClock`. */
export interface TagEntry {
  /** null: the tag was deleted or does not exist. */
  digest: string | null;
  /** Start of the time in which only this state was seen. */
  since: number;
  /** When the state was last seen. */
  confirmedAt: number;
}

/** The known states of one tag at the push upstream: newest first, each once, at most `MAX_STATES`. */
export type TagHistory = readonly TagEntry[];

/**
 * `current`: what the push upstream last showed. `stale`: older, or the tag was deleted since. `unknown`: never seen there, so possibly
 * newer. `unrecorded`: nothing is known of the tag.
 */
export type TagVerdict = 'current' | 'stale' | 'unknown' | 'unrecorded';

export interface Judgement {
  verdict: TagVerdict;
  /** The digest that the push upstream last showed; undefined: not known, or the tag was deleted. */
  current?: string;
  /** When the push upstream last showed `current`. */
  confirmedAt?: number;
  /** Latest moment at which the tag was deleted, if it was. */
  deletedAt?: number;
  /** For a stale digest: latest moment at which a newer state existed. Undefined: the ledger never saw the digest. */
  supersededAt?: number;
}

/** A fallback that lags by more versions shows a digest that the ledger does not know. */
export const MAX_STATES = 16;

/**
 * Records that the push upstream showed the digest, or acknowledged a push of it. `null`: it lacks the tag, or acknowledged a deletion.
 *
 * A read counts from the moment its request began, because its answer may be that old; a write from the moment it was acknowledged. So a
 * slow read that began before a push cannot put the old digest back. The order in which observations arrive does not matter: the latest
 * time of each state counts, and the state with the latest time is current. A tag that went A -> B -> A is at A. All times must come from
 * one clock that never goes back (`LedgerClock`).
 */
export function noteState(history: TagHistory | undefined = [], digest: string | null, at: number): TagHistory {
  const [newest] = history;
  if (newest && newest.digest === digest && at >= newest.confirmedAt)
    return [{ digest, since: newest.since, confirmedAt: at }, ...history.slice(1)];
  return merge(history, [{ digest, since: at, confirmedAt: at }]);
}

/**
 * Merges two histories of one tag. The merge is commutative, associative and idempotent, also where `MAX_STATES` cuts, so edges may
 * exchange histories in any order and any number of times. Of each state the entry with the latest time stays; of the states, the latest
 * ones.
 */
export function merge(a: TagHistory | undefined = [], b: TagHistory | undefined = []): TagHistory {
  const latest = new Map<string | null, TagEntry>();
  for (const entry of [...a, ...b]) {
    const known = latest.get(entry.digest);
    if (!known || byTime(entry, known) < 0) latest.set(entry.digest, entry);
  }
  return [...latest.values()].sort(byTime).slice(0, MAX_STATES);
}

/**
 * Newest first. At equal times a deletion wins, because then the tag is served with a warning. Between two digests the same one wins on
 * every edge until a later read or push.
 */
function byTime(a: TagEntry, b: TagEntry): number {
  if (a.confirmedAt !== b.confirmedAt) return b.confirmedAt - a.confirmedAt;
  if (a.digest === b.digest) return a.since - b.since;
  if (a.digest === null || b.digest === null) return a.digest === null ? -1 : 1;
  return a.digest > b.digest ? -1 : 1;
}

/**
 * Judges a digest that another upstream shows for the tag. After a deletion every digest is stale: most likely the fallback has not deleted
 * the tag yet.
 */
export function judge(history: TagHistory | undefined, digest: string): Judgement {
  const [newest] = history ?? [];
  if (!history || !newest) return { verdict: 'unrecorded' };
  const known: Omit<Judgement, 'verdict'> =
    newest.digest === null ? { deletedAt: newest.since } : { current: newest.digest, confirmedAt: newest.confirmedAt };
  if (newest.digest === digest) return { verdict: 'current', ...known };
  for (const [index, entry] of history.entries()) {
    const newer = history[index - 1];
    if (newer && entry.digest === digest)
      return { verdict: 'stale', ...known, supersededAt: supersededAt(entry, newer) };
  }
  return { verdict: newest.digest === null ? 'stale' : 'unknown', ...known };
}

/** Latest start of the newer state: its first time or, if the two states overlap, its last one. */
function supersededAt(entry: TagEntry, newer: TagEntry): number {
  return newer.since > entry.confirmedAt ? newer.since : newer.confirmedAt;
}
