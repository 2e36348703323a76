import type { Route } from '../../failover/rewrite.ts';
import type { BreakerState, CanaryState, Gate, HealthState, TrafficClass, UpstreamView } from '../../failover/view.ts';

/** One URL of an upstream. Times are ISO 8601 in UTC. */
export interface UrlSnapshot {
  url: string;
  state: HealthState;
  since: string;
  reason: string;
  /** `unknown`: not read yet. */
  canary: CanaryState | 'unknown';
  lastProbeAt: string | null;
  /** Duration of the last probe in milliseconds. */
  probeMs: number | null;
  breakers: Record<TrafficClass, BreakerState>;
  /** A request to the URL has failed, and no probe has been good since. */
  suspected: boolean;
  /** The URL is up, and that request was only slow. */
  slow: boolean;
  /** Until when the URL is rate-limited (Retry-After); null if it is not. */
  restingUntil: string | null;
  inFlight: { data: number; control: number };
  /** Queued requests. */
  waiting: { data: number; control: number };
  /** 95th percentile of the time of recent answers in milliseconds, of blobs for their first 16 KiB; null before there are 8 answers. */
  firstByteP95Ms: { data: number | null; control: number | null };
}

/** Whether the upstream accepts the edge's own credentials. */
export type CredentialsSnapshot = { state: 'good' } | { state: 'refused'; since: string; reason: string };

/** Corrupt copies of blobs on one upstream. */
export interface CorruptCopiesSnapshot {
  count: number;
  /** The last ones found, newest first. */
  copies: { digest: string; since: string }[];
}

export interface UpstreamSnapshot {
  name: string;
  state: HealthState;
  since: string;
  reason: string;
  kind: UpstreamView['kind'];
  readOnly: boolean;
  /** Components that Harbor reports as unhealthy. */
  unhealthy: string[];
  /** Only where a route pushes to this upstream. */
  pushes?: { admitted: boolean; mode: Gate['mode']; since: string; reason: string };
  /** State of the edge's own credentials; undefined where the edge has none and none were refused. */
  credentials?: CredentialsSnapshot;
  corrupt: CorruptCopiesSnapshot;
  /** Attempts since the start that were cancelled because another upstream, asked later, answered first. */
  outrun: number;
  urls: UrlSnapshot[];
}

export interface RouteSnapshot {
  prefix: string;
  registry?: string;
  push?: string;
  onAbsent: Route['onAbsent'];
  pull: { upstream: string; prefix: string; replicate: boolean }[];
}
