/** One state of a tag at the push upstream. Times are epoch milliseconds. */
export interface TagEntry {
  /** null: the tag was deleted, or is not there. */
  digest: string | null;
  /** From when on it was seen in this state, without another one in between. */
  since: number;
  /** The last time it was seen so. */
  confirmedAt: number;
}

/** What is known of one tag at the push upstream: newest first, each state once, at most `MAX_STATES`. */
export type TagHistory = readonly TagEntry[];

/**
 * current: as the push upstream last showed it. stale: known as older, or the tag was deleted since. unknown: never seen there, so that
 * it may be newer. unrecorded: nothing is known of the tag.
 */
export type TagVerdict = 'current' | 'stale' | 'unknown' | 'unrecorded';

export interface Judgement {
  verdict: TagVerdict;
  /** What the push upstream last showed; undefined where that is not known or the tag was deleted. */
  current?: string;
  /** When it last showed `current`. */
  confirmedAt?: number;
  /** Since when at the latest it has not had the tag, if that is its state. */
  deletedAt?: number;
  /** For a stale digest: the latest moment at which something newer was there. Undefined if the ledger never saw it itself. */
  supersededAt?: number;
}

/** A fallback that is more versions behind than this shows what the ledger does not know. */
export const MAX_STATES = 16;

/**
 * The push upstream showed the digest, or acknowledged a push of it.
 *
 * The rule of times: a read counts from the moment when its request began, because what it shows may be that old; a write from the
 * moment when it was acknowledged. So a slow read that began before a push cannot put the old digest back, and the order in which
 * observations arrive does not matter: of each state only the last time counts, and the state with the latest time is the current one.
 * A tag that went A -> B -> A is thus at A. Times must come from one clock that never goes back (`LedgerClock`).
 */
export function noteSeen(history: TagHistory | undefined, digest: string, at: number): TagHistory {
  return addEntry(history, digest, at);
}

/** The push upstream acknowledged that the tag was deleted, or said that it is not there; times as in `noteSeen`. */
export function noteDeleted(history: TagHistory | undefined, at: number): TagHistory {
  return addEntry(history, null, at);
}

function addEntry(history: TagHistory = [], digest: string | null, at: number): TagHistory {
  const [newest] = history;
  if (newest && newest.digest === digest && at >= newest.confirmedAt)
    return [{ digest, since: newest.since, confirmedAt: at }, ...history.slice(1)];
  return merge(history, [{ digest, since: at, confirmedAt: at }]);
}

/**
 * Two histories of one tag as one. Commutative, associative and idempotent, also where `MAX_STATES` cuts, so that nodes may tell each
 * other what they know in any order and as often as they like: of each state the entry with the latest time stays, of the states the
 * latest ones.
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
 * Newest first. At the same time a deletion wins, because then the tag is served with a warning rather than without; between digests
 * it is the same one on every node, rightly or not, until the next read or push has a later time.
 */
function byTime(a: TagEntry, b: TagEntry): number {
  if (a.confirmedAt !== b.confirmedAt) return b.confirmedAt - a.confirmedAt;
  if (a.digest === b.digest) return a.since - b.since;
  if (a.digest === null || b.digest === null) return a.digest === null ? -1 : 1;
  return a.digest > b.digest ? -1 : 1;
}

/**
 * What the history says of a digest that another upstream shows for the tag. Once the push upstream has no such tag, every digest is
 * stale: what a fallback shows is what has not been deleted there yet, and only rarely a push past this node.
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

/** When the newer state was there at the latest: from its beginning, or, where the two overlap, when it was last seen. */
function supersededAt(entry: TagEntry, newer: TagEntry): number {
  return newer.since > entry.confirmedAt ? newer.since : newer.confirmedAt;
}
