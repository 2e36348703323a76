import type { ReferrersSupport } from '../oci/referrers-list.ts';
import type { CredentialRole, CredentialsRefusal } from './credentials.ts';
import type { Evidence } from './failure-evidence.ts';
import type { Proof } from './proof.ts';

/** Health of a URL or upstream; `unknown` until the first probe. */
export type HealthState = 'up' | 'down' | 'unknown';
/** `none`: there is no canary, so the probe is shallow. */
export type CanaryState = 'good' | 'failing' | 'none';
export type BreakerState = 'closed' | 'half-open' | 'open';
/** Classes of traffic that fail together: small reads, blob bodies, writes, and paths outside the registry API. */
export const TRAFFIC_CLASSES = ['control', 'data', 'push', 'passthrough'] as const;
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number];

/** Why an upstream is asked last for one client and repository, and until when. */
export interface Backoff {
  until: number;
  /** `late`: it was late again and again. `limited`: it answered 429, or 503 with Retry-After. */
  why: 'late' | 'limited';
}

/** One URL of an upstream. Times are monotonic milliseconds (rule 12). */
export interface ReplicaView {
  url: string;
  state: HealthState;
  since: number;
  reason: string;
  canary: CanaryState;
  /** Whether the URL has shown content since the start. */
  proof: Proof;
  lastProbeAt: number | undefined;
  /** When the last probe ended that did not fail. Undefined: none has. */
  goodProbeAt?: number | undefined;
  /** Duration of the last probe in milliseconds. */
  probeMs: number | undefined;
  breakers: Record<TrafficClass, BreakerState>;
  /** Classes whose half-open breaker would admit a trial now. */
  trialFree: Record<TrafficClass, boolean>;
  /** A request failed there, and no probe has succeeded since. */
  suspected: boolean;
  /** The URL is up, and its only problem is late answers. */
  slow: boolean;
  /** Until when the URL is rate-limited (429 with Retry-After); 0: it is not. */
  retryAfterUntil: number;
  /** What overload and slowness mean for one client and repository. Undefined: nothing. */
  pairBackoff?: {
    current(evidence: Evidence, trafficClass: TrafficClass, now: number): Backoff | undefined;
    /** Without a backoff: whether the next request shows if the URL is still late. */
    isTrial(evidence: Evidence, trafficClass: TrafficClass): boolean;
  };
  inFlight: { control: number; data: number };
  /** Requests that wait for a free place. */
  waiting: { control: number; data: number };
  saturated: { control: boolean; data: boolean };
  /** Whether a new request of this client has to wait for a place. Undefined: as `saturated` says. */
  isSaturatedFor?: (client: string, trafficClass: TrafficClass) => boolean;
  /** Milliseconds within which 19 of 20 recent answers came, of blobs the first few KiB; undefined: too few answers yet. */
  firstByteP95: { control: number | undefined; data: number | undefined };
}

/**
 * Whether writes are admitted, and so whether a fallback may answer blob HEADs. `accepting`: writes only. `settling`: neither. `refusing`:
 * such HEADs only.
 */
export interface Gate {
  mode: 'accepting' | 'settling' | 'refusing';
  since: number;
  reason: string;
}

/** The edge's own credentials at an upstream. */
export interface CredentialsView {
  /** Whether the edge has credentials of its own for this upstream. */
  own: boolean;
  refusal: CredentialsRefusal | undefined;
  /** When a check last found them accepted; undefined: no check has been good yet. */
  acceptedAt?: number | undefined;
  /** Why it is not known whether they are accepted, and since when; undefined: it is known. */
  unknown?: { since: number; reason: string } | undefined;
  /** Every account that the edge has there, those of probes and copies too. */
  accounts?: readonly AccountView[];
}

/** An account of the edge's own at an upstream. */
export interface AccountView {
  role: CredentialRole;
  username: string;
  refusal: CredentialsRefusal | undefined;
  /** Why it is not known whether it is accepted, and since when; undefined: it is known. */
  unknown?: { since: number; reason: string } | undefined;
  /**
   * For credentials that a program or a service gives: when it last did, and why it fails, since when. Undefined: they are never renewed.
   */
  renewal?: { givenAt: number | undefined; problem: { since: number; reason: string } | undefined } | undefined;
  /** When it ends, in epoch milliseconds; undefined: the upstream does not tell. */
  expires: number | 'never' | undefined;
}

/** Content that an upstream has lost. Times are monotonic milliseconds. */
export interface ContentLoss {
  /** The first push that is gone was acknowledged at this time. */
  since: number;
  noticedAt: number;
  /** Acknowledged pushes that are gone. */
  gone: number;
  /** Some of them, by their names at the upstream: `library/app:1.2`. */
  images: readonly string[];
}

/** Acknowledged pushes whose loss would not be noticed, because nothing may look for them. */
export interface UnseenContent {
  /** Monotonic milliseconds. */
  since: number;
  /** Whose credentials may not read them. Undefined: the edge has none that could. */
  reader: CredentialRole | undefined;
  /** Their repositories, by the names at the upstream. Empty: all. */
  repositories: readonly string[];
}

export interface UpstreamView {
  name: string;
  kind: 'registry' | 'harbor';
  state: HealthState;
  since: number;
  reason: string;
  /** Undefined: it is not known. */
  readOnly: boolean | undefined;
  /** Since when a Harbor has not told whether it is read-only. Undefined: it is known, or this is no Harbor. */
  modeUnknownSince?: number | undefined;
  /** `probe.canary`; undefined: probes cannot tell whether the upstream reaches its storage. */
  canaryImage: string | undefined;
  /** Components that Harbor reports as unhealthy. */
  unhealthy: string[];
  credentials: CredentialsView;
  gate: Gate;
  /** Content that the upstream is known to have lost (rule 9). Undefined: none. */
  contentLost?: ContentLoss | undefined;
  /** Where lost content would not be noticed. Undefined: nowhere that is known of. */
  contentUnseen?: UnseenContent | undefined;
  /** Whether it has the referrers API. Default: unknown. */
  referrers?: ReferrersSupport;
  replicas: ReplicaView[];
}
