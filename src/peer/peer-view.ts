/**
 * `asking`: no question was answered yet. `in-step`: all news was read a moment ago. `behind`: news is being read. `unreachable`: no answer.
 * `stranger`: the answer does not come from an edge of this site, or its key differs. `itself`: the name leads to this edge.
 */
export type PeerState = 'asking' | 'in-step' | 'behind' | 'unreachable' | 'stranger' | 'itself';

/** A time in which another edge may have taken pushes of which this edge has not heard, as in the JSON of `/api/status`. */
export interface UnheardView {
  /** Address and port of the other edge. */
  peer: string;
  /** Null: nothing was ever heard of it. */
  since: string | null;
  /** Null: it is not over. */
  until: string | null;
}

/** One address of another edge, as in the JSON of `/api/status`. Times are ISO 8601 in UTC. */
export interface PeerView {
  /** The URL from the configuration. */
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
  /** Its version of Breakwater; null: it does not tell. */
  release: string | null;
  /** Milliseconds by which the clock of its host is ahead of the one of this host; null: it is not known. */
  clockAheadMs: number | null;
}

/** Whether other edges hear of writes before their replies, as in the JSON of `/api/status`. */
export interface AcknowledgementView {
  /** How often, since the start, a reply did not wait any longer for an edge. */
  late: number;
  /** The edges that have not caught up since, by their addresses. Replies do not wait for them. */
  behind: { peer: string; since: string }[];
}
