import type { ProofState } from '../../failover/proof.ts';
import type { Route } from '../../failover/rewrite.ts';
import type { AccountView, CanaryState, Gate, ReplicaView, UnseenContent, UpstreamView } from '../../failover/view.ts';

/** One URL of an upstream. Times are ISO 8601 in UTC. */
export interface UrlSnapshot
  extends Pick<ReplicaView, 'url' | 'state' | 'reason' | 'breakers' | 'suspected' | 'slow' | 'inFlight' | 'waiting'> {
  since: string;
  /** `unknown`: not read yet. */
  canary: CanaryState | 'unknown';
  /** Whether the URL has shown content since the start. */
  proof: { state: ProofState; since: string; reason: string };
  lastProbeAt: string | null;
  /** Duration of the last probe in milliseconds. */
  probeMs: number | null;
  /** Until when the URL is rate-limited (Retry-After); null if it is not. */
  restingUntil: string | null;
  /** 95th percentile of the time of recent answers in milliseconds, of blobs for their first 16 KiB; null before there are 8 answers. */
  firstByteP95Ms: { data: number | null; control: number | null };
}

/** Whether the upstream accepts the edge's own credentials. */
export type CredentialsSnapshot =
  /** `checkedAt`: the last check that found them accepted. */
  | { state: 'good'; checkedAt: string }
  /** `unknown`: no check has told yet. */
  | { state: 'refused' | 'unknown'; since: string; reason: string };

/** An account of the edge's own at an upstream: of pulls and pushes (`own`), of probes, or of copies. */
export interface AccountSnapshot extends Pick<AccountView, 'role' | 'username'> {
  /** `unknown`: no check has told yet. */
  state: 'good' | 'refused' | 'unknown';
  /** Since when, and why, it is refused or unknown. */
  since?: string;
  reason?: string;
  /** When it ends: ISO 8601, `never`, or null where the upstream does not tell. */
  expires: string | null;
  /** Only for credentials that a program or a service gives: when it last did, and since when and why it fails. */
  renewal?: { givenAt: string | null; problem: { since: string; reason: string } | null };
}

/** Corrupt copies of blobs on one upstream. */
export interface CorruptCopiesSnapshot {
  count: number;
  /** The last ones found, newest first. */
  copies: { digest: string; since: string }[];
}

/** Content that an upstream has lost although it had acknowledged it. */
export interface LostContentSnapshot {
  /** When the first of it was acknowledged. */
  since: string;
  noticedAt: string;
  /** Acknowledged pushes that are gone. */
  pushes: number;
  /** Some of them, by their names at the upstream. */
  images: readonly string[];
}

/** Acknowledged pushes whose loss would not be noticed. */
export interface UnseenContentSnapshot extends Omit<UnseenContent, 'since' | 'reader'> {
  since: string;
  /** Whose credentials may not read them; null: the edge has none that could. */
  reader: AccountView['role'] | null;
}

export interface UpstreamSnapshot extends Pick<UpstreamView, 'name' | 'state' | 'reason' | 'kind' | 'unhealthy'> {
  since: string;
  /** Whether it has the referrers API, as far as this edge has seen. */
  referrers: NonNullable<UpstreamView['referrers']>;
  /** Null: it is not known. */
  readOnly: boolean | null;
  /** Only for a Harbor that takes pushes and does not tell whether it is read-only: since when. */
  modeUnknownSince?: string;
  /** The image that probes read; null: they cannot tell whether the upstream reaches its storage. */
  canaryImage: string | null;
  /** Only where a route pushes to this upstream. */
  pushes?: { admitted: boolean; mode: Gate['mode']; since: string; reason: string };
  /** State of the edge's own credentials; undefined where the edge has none and none were refused. */
  credentials?: CredentialsSnapshot;
  /** Only while content is known to be lost. */
  lost?: LostContentSnapshot;
  /** Only where a route pushes to this upstream, and nothing may look for some of the pushes. */
  unseen?: UnseenContentSnapshot;
  /** The accounts that the edge has there. */
  accounts: AccountSnapshot[];
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
