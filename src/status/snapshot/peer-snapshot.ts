import type { PeerState, PeerView } from '../../peer/peer-view.ts';

/** Another edge of the site. Times are ISO 8601 in UTC. */
export interface PeerSnapshot {
  url: string;
  /** Address and port; null if the name does not resolve. */
  address: string | null;
  state: PeerState;
  since: string;
  reason: string;
  /** When the peer last sent its entries. */
  heardAt: string | null;
  /** Number of new entries that this edge learnt from the peer. */
  entries: number;
}

export function peerSnapshot({ url, address, state, since, reason, heardAt, entries }: PeerView): PeerSnapshot {
  const iso = (ms: number) => new Date(ms).toISOString();
  return {
    url,
    address: address ?? null,
    state,
    since: iso(since),
    reason,
    heardAt: heardAt === undefined ? null : iso(heardAt),
    entries,
  };
}

/** Whether the two edges do not exchange what they learn. */
export function isOutOfSync({ state }: PeerSnapshot): boolean {
  return state === 'unreachable' || state === 'stranger';
}
