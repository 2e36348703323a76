/** A time in which another edge may have acknowledged writes that this edge has not heard of. Times are those of a `LedgerClock`. */
export interface Unheard {
  /** Name of the other edge, for the operator. */
  peer: string;
  /** Until then all was heard. Undefined: nothing was ever heard. */
  since: number | undefined;
  /** When the process was gone. Undefined: it may still acknowledge writes. */
  until: number | undefined;
}

/**
 * How another edge was lost. `ended`: its process closed the connection, which it does only when it ends. `refused`: its host says that
 * nothing listens there. `silent`: anything else, so it may still be serving clients.
 */
export type PeerLoss = 'ended' | 'refused' | 'silent';

export interface Hearing {
  /** Until then, by this edge's clock and at the earliest, all was heard. */
  heardUntil: number | undefined;
  /** A question of this edge stood at the process. */
  stands: boolean;
}

/** Milliseconds for which a reply waits until the peers in step have heard. */
export const ACKNOWLEDGE_MS = 100;

/**
 * Whether this edge had heard everything that a process acknowledged before it ended. While a question stands, the process writes to that
 * connection before it replies to a client, and the connection brings its bytes in order: so its end shows that nothing was missed. Without
 * such a question, a process needs `ACKNOWLEDGE_MS` before it replies unheard.
 */
export function heardAll({ heardUntil, stands }: Hearing, loss: PeerLoss, now: number): boolean {
  if (loss === 'silent') return false;
  return stands || (loss === 'refused' && heardUntil !== undefined && now - heardUntil < ACKNOWLEDGE_MS);
}

/**
 * The time in which a tag may have moved unheard; undefined: none.
 * @param confirmedAt when the push upstream last showed the tag, or acknowledged a push of it; undefined: never
 */
export function unheardAfter(gaps: readonly Unheard[], confirmedAt: number | undefined): Unheard | undefined {
  const open = gaps.find(({ until }) => until === undefined);
  if (open) return open;
  return gaps.findLast(({ until = 0 }) => confirmedAt === undefined || confirmedAt < until);
}
