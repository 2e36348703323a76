import type { PeerState, PeerView } from '../../peer/peer-view.ts';

/** Another edge of the site. Times are ISO 8601 in UTC. */
export interface PeerSnapshot {
  url: string;
  /** Address and port; null: the name leads nowhere. */
  address: string | null;
  state: PeerState;
  since: string;
  reason: string;
  /** When it last told what it knows. */
  heardAt: string | null;
  /** What it told that was new. */
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

/** Whether what this edge learns is not known there, nor the other way round. */
export function isApart({ state }: PeerSnapshot): boolean {
  return state === 'unreachable' || state === 'stranger';
}
