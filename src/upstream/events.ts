import type { BreakerState, Gate, HealthState, TrafficClass } from '../failover/view.ts';

/** What happens to upstreams, for the log. */
export interface UpstreamEvents {
  health(upstream: string, url: string, from: HealthState, to: HealthState, reason: string): void;
  breaker(upstream: string, url: string, trafficClass: TrafficClass, state: BreakerState): void;
  gate(upstream: string, gate: Gate): void;
  /** The edge's own credentials do not work, which no client can mend; undefined: they work again. */
  credentials(upstream: string, detail: string | undefined): void;
  /** Its copy of a blob has wrong bytes, or was part of what had; it serves again only when it verifies. */
  corruptCopy(upstream: string, digest: string): void;
}
