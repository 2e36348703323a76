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
