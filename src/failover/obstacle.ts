import type { ReplicaView, TrafficClass } from './view.ts';

export interface Obstacle {
  /** From 1, what passes by itself in a moment, to 5, what takes the whole deadline to find out. */
  gravity: number;
  why: string;
}

/** Why an attempt had better go elsewhere first: the gravest reason, or undefined if nothing speaks against it. */
export function obstacleTo(replica: ReplicaView, trafficClass: TrafficClass, now: number): Obstacle | undefined {
  const breaker = replica.breakers[trafficClass];
  if (replica.state === 'down') return { gravity: 5, why: `down: ${replica.reason}` };
  if (breaker === 'open') return { gravity: 4, why: `${trafficClass} breaker open` };
  if (replica.restingUntil > now) {
    const seconds = Math.ceil((replica.restingUntil - now) / 1000);
    return { gravity: 3, why: `asked to be left alone for ${seconds} s` };
  }
  if (breaker === 'half-open' && !replica.trialFree[trafficClass])
    return { gravity: 2, why: `${trafficClass} breaker half-open, its trial is under way` };
  if (replica.suspected)
    return { gravity: 1, why: 'a request to it has just failed, and no probe has been good since' };
  if ((trafficClass === 'control' || trafficClass === 'data') && replica.saturated[trafficClass])
    return { gravity: 1, why: 'as many requests under way as are allowed' };
  return undefined;
}
