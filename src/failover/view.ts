import type { CredentialsRefusal } from './credentials.ts';

/** What is known of a URL's health. `unknown` lasts from the start to the first probe. */
export type HealthState = 'up' | 'down' | 'unknown';
/** `none`: no canary is configured and nothing stands in for it, so that the probe is shallow. */
export type CanaryState = 'good' | 'failing' | 'none';
export type BreakerState = 'closed' | 'half-open' | 'open';
/** Traffic that fails together: small reads, blob bodies, writes, and what is not the registry API. */
export const TRAFFIC_CLASSES = ['control', 'data', 'push', 'passthrough'] as const;
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number];

/** One URL of an upstream, as decisions and the status see it. Times are epoch milliseconds. */
export interface ReplicaView {
  url: string;
  state: HealthState;
  since: number;
  reason: string;
  canary: CanaryState;
  lastProbeAt: number | undefined;
  /** Duration of the last probe in milliseconds. */
  probeMs: number | undefined;
  breakers: Record<TrafficClass, BreakerState>;
  /** Classes whose half-open breaker would admit an attempt now. */
  trialFree: Record<TrafficClass, boolean>;
  /** Traffic met trouble there, and no probe has been good since. */
  suspected: boolean;
  /** It is up, and its only trouble is that answers were late. */
  slow: boolean;
  /** Until when the URL asked to be left alone (429 with Retry-After); 0 if it did not. */
  retryAfterUntil: number;
  inFlight: { control: number; data: number };
  /** Requests that wait for a place among those. */
  waiting: { control: number; data: number };
  saturated: { control: boolean; data: boolean };
  /** Milliseconds within which 19 of 20 of the last answers came, of blobs the first few KiB; undefined: too few came yet. */
  firstByteP95: { control: number | undefined; data: number | undefined };
}

/**
 * Whether writes are admitted; the one state that also decides whether a fallback may answer blob HEADs.
 * accepting: writes yes, such HEADs no. settling: neither. refusing: writes no, such HEADs yes.
 */
export interface Gate {
  mode: 'accepting' | 'settling' | 'refusing';
  since: number;
  reason: string;
}

/** The edge's own credentials at an upstream. */
export interface CredentialsView {
  /** It has some; otherwise it shows nothing, or what clients bring. */
  own: boolean;
  refusal: CredentialsRefusal | undefined;
}

export interface UpstreamView {
  name: string;
  kind: 'registry' | 'harbor';
  state: HealthState;
  since: number;
  reason: string;
  readOnly: boolean;
  /** The components that Harbor reports as unhealthy. */
  unhealthy: string[];
  credentials: CredentialsView;
  gate: Gate;
  replicas: ReplicaView[];
}
