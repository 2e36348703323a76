/** What a digest says of the copies that a body was put together from, by the names of their upstreams. */
export interface Blame {
  /** They have the right bytes. */
  verified: string[];
  /** They may have wrong ones. */
  rotten: string[];
  /** They were verified once, and are to be looked at again. */
  doubted: string[];
}

/**
 * Who is to be believed after the digest of a whole body was computed. A body of several upstreams clears none of them, since nobody's
 * copy was read whole. If it is wrong, whoever was never verified is suspected: each is hashed whole the next time, which clears the
 * innocent; and one that was verified may have rotted since.
 */
export function blame(
  contributors: readonly string[],
  verifiedBefore: (upstream: string) => boolean,
  right: boolean,
): Blame {
  if (right) return { verified: contributors.length === 1 ? [...contributors] : [], rotten: [], doubted: [] };
  const suspects = contributors.filter((upstream) => !verifiedBefore(upstream));
  if (suspects.length === 0) return { verified: [], rotten: [...contributors], doubted: [] };
  return { verified: [], rotten: suspects, doubted: contributors.filter(verifiedBefore) };
}
