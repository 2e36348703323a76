import type { Route } from '../../failover/rewrite.ts';
import type { BreakerState, CanaryState, Gate, HealthState, TrafficClass, UpstreamView } from '../../failover/view.ts';

/** One URL of an upstream. Times are ISO 8601 in UTC. */
export interface UrlSnapshot {
  url: string;
  state: HealthState;
  since: string;
  reason: string;
  canary: CanaryState;
  lastProbeAt: string | null;
  /** Duration of the last probe in milliseconds. */
  probeMs: number | null;
  breakers: Record<TrafficClass, BreakerState>;
  /** A request to it has just failed, and no probe has been good since. */
  suspected: boolean;
  /** That request was only late, and the URL is up. */
  slow: boolean;
  /** Until when it asked to be left alone (429); null if it did not. */
  restingUntil: string | null;
  inFlight: { data: number; control: number };
  /** Requests that wait for a place among those. */
  waiting: { data: number; control: number };
  /** Milliseconds within which 19 of 20 of the last answers came, of blobs the first few KiB; null: too few came yet. */
  firstByteP95Ms: { data: number | null; control: number | null };
}

/** Whether the upstream takes what the edge itself shows it. */
export type CredentialsSnapshot = { state: 'good' } | { state: 'refused'; since: string; reason: string };

/** Copies of blobs whose bytes are wrong. */
export interface RottenSnapshot {
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
  /** The components that Harbor reports as unhealthy. */
  unhealthy: string[];
  /** Only where a route pushes to this upstream. */
  pushes?: { admitted: boolean; mode: Gate['mode']; since: string; reason: string };
  /** The edge's own, here; not there where it shows nothing of its own and nothing was refused. */
  credentials?: CredentialsSnapshot;
  rotten: RottenSnapshot;
  /** Attempts since the start that were given up because an upstream that was asked later answered first. */
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
