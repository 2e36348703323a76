import type { TagVerdict } from './tag-history.ts';

/**
 * When the primary and a copy got what they show for a tag: the push of the tag, or the upload of its manifest. Epoch milliseconds by the
 * clock of each registry; undefined: the registry does not tell.
 */
export interface CopyTimes {
  primary: number | undefined;
  copy: number | undefined;
}

export type NewerSide = 'primary' | 'copy' | 'unknown';

export interface DifferingCopy {
  /** The ledger's verdict on the digest of the copy. */
  verdict: TagVerdict;
  times: CopyTimes;
  /** Whether the primary has the manifest of the copy by digest; undefined: not asked, or no answer. */
  primaryHasCopy: boolean | undefined;
}

/** Times that differ by less order nothing: they are of two clocks. Milliseconds. */
const TOLERANCE_MS = 60_000;

/** Which side got its digest later, by what the registries tell. */
export function newerByTime({ primary, copy }: CopyTimes): NewerSide {
  if (primary === undefined || copy === undefined || Math.abs(primary - copy) < TOLERANCE_MS) return 'unknown';
  return primary > copy ? 'primary' : 'copy';
}

/**
 * Whether a comparison may replace a tag of the fallback that has another digest than the tag of the primary. A restored primary shows older
 * tags than its fallback, and an edge without a ledger has not seen the newer ones.
 *
 * `replace`: the ledger knows the digest of the copy, so what the primary shows now comes after it; or the primary's push is the later one;
 * or the primary has the manifest of the copy, and so has not lost it. `wait`: the operator decides.
 */
export function mayReplaceCopy({ verdict, times, primaryHasCopy }: DifferingCopy): 'replace' | 'wait' {
  if (verdict === 'current' || verdict === 'stale') return 'replace';
  const newer = newerByTime(times);
  if (newer !== 'unknown') return newer === 'primary' ? 'replace' : 'wait';
  return primaryHasCopy === true ? 'replace' : 'wait';
}

/** One state of a tag at the primary, as the ledger has it. Epoch milliseconds. */
export interface KnownTagState {
  /** null: the tag was deleted. */
  digest: string | null;
  confirmedAt: number;
}

export interface ReturningTag {
  /** By the ledger, newest first; empty: nothing is known. */
  states: readonly KnownTagState[];
  copyDigest: string;
  /** null: the primary lacks the tag. */
  primaryDigest: string | null;
  /** Where the primary lacks the tag, its time is that of the newest tag in the repository. */
  times: CopyTimes;
}

export interface NewerDecision {
  newer: NewerSide;
  by: 'ledger' | 'time' | 'nothing';
}

/** Whether the copy of a tag is newer than what the primary shows: by the ledger, else by push or upload times. */
export function newerTag({ states, copyDigest, primaryDigest, times }: ReturningTag): NewerDecision {
  const copy = states.findIndex(({ digest }) => digest === copyDigest);
  const primary = states.findIndex(({ digest }) => digest === primaryDigest);
  if (copy >= 0 && primary >= 0) return { newer: copy < primary ? 'copy' : 'primary', by: 'ledger' };
  // The primary had the tag, and no deletion is known.
  if (copy >= 0 && primaryDigest === null) return { newer: 'copy', by: 'ledger' };
  const [newest] = states;
  if (copy === 0 && newest) {
    // A push past the edges comes after what the ledger last saw.
    const isOvertaken = times.primary !== undefined && times.primary >= newest.confirmedAt + TOLERANCE_MS;
    return isOvertaken ? { newer: 'primary', by: 'time' } : { newer: 'copy', by: 'ledger' };
  }
  const newer = newerByTime(times);
  return { newer, by: newer === 'unknown' ? 'nothing' : 'time' };
}
