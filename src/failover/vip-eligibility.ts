import { coversSight, gapsOf, type SightGap, type UpstreamSight } from './sight.ts';

/** Milliseconds for which it counts what another edge has told, and for which it keeps its promise to hold the VIP. */
export const TOLD_MS = 3000;
/** Milliseconds in which another edge should have taken the VIP. */
const TAKE_MS = 10_000;

/** What an edge tells other edges of itself. */
export interface ToldSight {
  upstreams: readonly UpstreamSight[];
  /** It promises not to defer for `TOLD_MS`. */
  holds: boolean;
  /** It leaves the VIP to another edge. */
  defers: boolean;
  /** It is starting or stopping. */
  away: boolean;
  /** Whether it has the VIP. Undefined: it does not know. */
  vip?: boolean | undefined;
}

export interface PeerSight extends ToldSight {
  /** Its address, for the operator. */
  peer: string;
  /** The earliest time at which it can have told that; monotonic milliseconds of this edge. */
  toldAt: number;
}

export interface VipRules {
  /** Milliseconds for which another edge must have seen more. */
  deferAfter: number;
  /** Milliseconds that decisions are apart at least, and for which this edge defers after it sees as much as the other one. */
  holdDown: number;
}

/** Whether this edge defers to another one. Times are monotonic milliseconds. */
export interface VipState {
  /** Since when another edge has seen more without a break. */
  lacksSince: number | undefined;
  /** When another edge last saw more. */
  lackedAt: number;
  /** When this edge last promised to hold. */
  promisedAt: number;
  /** The edge that this one defers to, and since when. */
  defers: { peer: string; since: number; gaps: readonly SightGap[] } | undefined;
  /** When this edge last deferred, or another one was last heard to. */
  movedAt: number;
}

export const NEVER = Number.NEGATIVE_INFINITY;

export const INITIAL_VIP: VipState = {
  lacksSince: undefined,
  lackedAt: NEVER,
  promisedAt: NEVER,
  defers: undefined,
  movedAt: NEVER,
};

/**
 * Whether this edge leaves the VIP to another one:
 *
 *   holds  --another edge sees all that this one sees, and more, for `deferAfter`, and promises to hold-->  defers
 *   defers --this edge sees as much for `holdDown`-->  holds
 *   defers --no promise, or the other edge is silent, away, sees less, or has not taken the VIP-->  holds at once
 *
 * Edges never all defer: an edge defers only while it has a promise that is younger than `TOLD_MS`, and an edge that has promised does not
 * defer for `TOLD_MS`. An edge that may soon defer promises nothing. An edge that is unsure holds.
 */
export function nextVip(
  state: VipState,
  own: readonly UpstreamSight[],
  peers: readonly PeerSight[],
  rules: VipRules,
  now: number,
): VipState {
  const heard = peers.filter(({ toldAt, away }) => now - toldAt < TOLD_MS && !away);
  const able = heard.filter(({ upstreams, defers }) => !defers && coversSight(upstreams, own));
  const better = able
    .map((one) => ({ ...one, gaps: gapsOf(own, one.upstreams) }))
    .filter(({ gaps }) => gaps.length > 0);
  const lacks = better.length > 0;
  const lackedAt = lacks ? now : state.lackedAt;
  const movedAt = state.defers || heard.some(({ defers }) => defers) ? now : state.movedAt;
  const lacksSince = lacks ? (state.lacksSince ?? now) : undefined;
  const next = { ...state, lackedAt, movedAt, lacksSince };
  if (state.defers) {
    const isOver = !lacks && now - lackedAt >= rules.holdDown;
    const defers = isOver ? undefined : stillDefers(state.defers, able, now);
    return { ...next, defers, lacksSince: lacks && !defers ? now : lacksSince };
  }
  const wait = now - state.movedAt < rules.holdDown ? rules.holdDown : rules.deferAfter;
  const isDue = lacksSince !== undefined && now - lacksSince >= wait && now - state.promisedAt >= TOLD_MS;
  const keeper = isDue ? better.find(({ holds }) => holds) : undefined;
  return keeper ? { ...next, movedAt: now, defers: { peer: keeper.peer, since: now, gaps: keeper.gaps } } : next;
}

function stillDefers(
  defers: NonNullable<VipState['defers']>,
  able: readonly PeerSight[],
  now: number,
): VipState['defers'] {
  const keepers = able.filter(({ holds }) => holds);
  const isTaken = now - defers.since < TAKE_MS || keepers.some(({ vip }) => vip !== false);
  const [keeper] = keepers;
  if (!keeper || !isTaken) return undefined;
  return keepers.some(({ peer }) => peer === defers.peer) ? defers : { ...defers, peer: keeper.peer };
}

/** Whether this edge may promise to hold the VIP for `TOLD_MS`. */
export function mayPromise({ defers, lacksSince }: VipState): boolean {
  return defers === undefined && lacksSince === undefined;
}
