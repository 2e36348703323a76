/**
 * in-step: it has sent all that it knows, a moment ago. behind: it is telling. unreachable: it does not answer. stranger: something answers
 * that is no node of this site, or has another key. itself: the name leads to this very node. asking: it was not asked yet.
 */
export type PeerState = 'asking' | 'in-step' | 'behind' | 'unreachable' | 'stranger' | 'itself';

/** One address of another node. Times are epoch milliseconds. */
export interface PeerView {
  /** As the configuration has it. */
  url: string;
  /** Address and port that the name leads to; undefined: to none. */
  address: string | undefined;
  state: PeerState;
  since: number;
  reason: string;
  /** When it was last heard. */
  heardAt: number | undefined;
  /** What it told that was new, since it is known. */
  entries: number;
}
