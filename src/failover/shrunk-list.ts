/** Share of the known entries whose absence is no everyday deletion. */
const NOTABLE_SHARE = 0.1;

/**
 * Whether a list of repositories lacks so many known ones that it may show only a part: an account that ended or lost rights sees fewer
 * repositories, and no registry says so.
 * @param known entries that were seen before, or that clients pulled
 * @param missing those of them that the list lacks
 */
export function hasShrunk(known: number, missing: number): boolean {
  return missing > 0 && missing >= known * NOTABLE_SHARE;
}
