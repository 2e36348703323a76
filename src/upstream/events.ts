import type { BreakerState, ContentLoss, Gate, HealthState, TrafficClass } from '../failover/view.ts';

/**
 * Reports of an upstream's changes, for the log. Declared here because both an upstream and its replicas report them.
 */
export interface UpstreamEvents {
  health(upstream: string, url: string, from: HealthState, to: HealthState, reason: string): void;
  breaker(upstream: string, url: string, trafficClass: TrafficClass, state: BreakerState): void;
  gate(upstream: string, gate: Gate): void;
  /** Breakwater's own credentials are refused for this reason; undefined: they work again. */
  credentials(upstream: string, detail: string | undefined): void;
  /**
   * The upstream's copy of a blob has wrong bytes, or was part of a body that had. Other copies are preferred until
   * this one verifies.
   */
  corruptCopy(upstream: string, digest: string): void;
  /** The upstream has lost content that it had acknowledged; undefined: none is missed any more. */
  content(upstream: string, loss: ContentLoss | undefined): void;
}
