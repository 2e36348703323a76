/**
 * `asking`: no answer that could be relayed is there yet. `reserved`: one is there, but it counts only if slower upstreams that come
 * before it in the route fail. `won`: an answer is relayed. `lost`: there is none.
 */
export type RaceState = 'asking' | 'reserved' | 'won' | 'lost';

export type RaceEvent =
  /** An answer that counts at once. */
  | 'good'
  /** An answer that counts only if the slower upstreams before it fail. */
  | 'provisional'
  /** An attempt failed, or its upstream does not have the content; other upstreams may. */
  | 'unserved'
  /** An upstream does not have the content, and its word is final. */
  | 'absent'
  /** Only the upstream that may be hiding the content may answer from here on. */
  | 'confined'
  /** No attempt is under way, and none is left to be started. */
  | 'exhausted'
  /** The client left, or the edge itself failed. */
  | 'aborted';

/** The state after each event in each state. `won` and `lost` are final. */
export const RACE_TRANSITIONS: Readonly<Record<RaceState, Readonly<Record<RaceEvent, RaceState>>>> = {
  asking: {
    good: 'won',
    provisional: 'reserved',
    unserved: 'asking',
    absent: 'lost',
    confined: 'asking',
    exhausted: 'lost',
    aborted: 'lost',
  },
  reserved: {
    good: 'won',
    provisional: 'reserved',
    unserved: 'reserved',
    absent: 'lost',
    confined: 'asking',
    exhausted: 'won',
    aborted: 'lost',
  },
  won: {
    good: 'won',
    provisional: 'won',
    unserved: 'won',
    absent: 'won',
    confined: 'won',
    exhausted: 'won',
    aborted: 'won',
  },
  lost: {
    good: 'lost',
    provisional: 'lost',
    unserved: 'lost',
    absent: 'lost',
    confined: 'lost',
    exhausted: 'lost',
    aborted: 'lost',
  },
};

/** Whether nothing can change the result any more. */
export function isOver(state: RaceState): boolean {
  return state === 'won' || state === 'lost';
}
