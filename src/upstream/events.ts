import type { CredentialRole } from '../failover/credentials.ts';
import type { BreakerState, ContentLoss, Gate, HealthState, TrafficClass } from '../failover/view.ts';

/** Whose credentials an event is about. `username` is undefined where requests need none. */
export interface EventAccount {
  role: CredentialRole;
  username: string | undefined;
}

/**
 * Reports of an upstream's changes, for the log. Declared here because both an upstream and its replicas report them.
 */
export interface UpstreamEvents {
  health(upstream: string, url: string, from: HealthState, to: HealthState, reason: string): void;
  breaker(upstream: string, url: string, trafficClass: TrafficClass, state: BreakerState): void;
  gate(upstream: string, gate: Gate): void;
  /** Credentials of Breakwater's own are refused for this reason; undefined: they work again. */
  credentials(upstream: string, detail: string | undefined, account: EventAccount): void;
  /** Credentials of Breakwater's own end at this time, in epoch milliseconds. Called about once an hour. */
  credentialsEnd?(upstream: string, at: number, account: EventAccount): void;
  /** A challenge of the upstream named a token service on this host, which gets nothing, because no list names it. Once for each host. */
  realm?(upstream: string, host: string): void;
  /**
   * The upstream's copy of a blob has wrong bytes, or was part of a body that had. Other copies are preferred until
   * this one verifies.
   */
  corruptCopy(upstream: string, digest: string): void;
  /** The upstream has lost content that it had acknowledged; undefined: none is missed any more. */
  content(upstream: string, loss: ContentLoss | undefined): void;
}
