import { type ClockReading, isoTime } from '../../clock/clock.ts';

/** Upstreams that one of two edges does not reach, and the other one does. */
export interface DifferenceView {
  /** Address and port of the other edge. */
  peer: string;
  /** Which edge does not reach them. */
  lacking: 'this' | 'peer';
  /** By their names in the configuration. `pulls`: it cannot be pulled from. `pushes`: it takes no pushes. */
  upstreams: readonly { upstream: string; pulls: boolean; pushes: boolean }[];
  /** Whether the edge that reaches them reaches everything that the other one does. */
  covers: boolean;
  /** Monotonic milliseconds. */
  since: number;
}

export interface VipView {
  /** Why this node may not hold the VIP. Undefined: it may. */
  obstacle: string | undefined;
  /** The edge that this one leaves the VIP to, and since when. */
  defers: { peer: string; since: number } | undefined;
  differences: readonly DifferenceView[];
}

/** Whether this node may hold the VIP, as in the JSON of `/api/status`. */
export interface VipSnapshot {
  eligible: boolean;
  /** What `/vipz` says; null: this node may hold the VIP. */
  reason: string | null;
  /** Address of the edge that this one leaves the VIP to, and since when. */
  defersTo: { peer: string; since: string } | null;
  differences: (Omit<DifferenceView, 'since'> & { since: string })[];
}

export function vipSnapshot({ obstacle, defers, differences }: VipView, now: ClockReading): VipSnapshot {
  return {
    eligible: obstacle === undefined,
    reason: obstacle ?? null,
    defersTo: defers ? { peer: defers.peer, since: isoTime(defers.since, now) } : null,
    differences: differences.map((one) => ({ ...one, since: isoTime(one.since, now) })),
  };
}
