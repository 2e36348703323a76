import type { HealthState } from '../../failover/view.ts';

/** A reference that cannot be pulled with the right digest. Times are ISO 8601. */
export interface GapReport {
  /** Tag or digest. */
  reference: string;
  state: 'missing' | 'stale' | 'unknown';
  /** When the gap was first seen; null: not known. */
  since: string | null;
  /** When a client last pulled the reference; null: the report is not about pulls. */
  pulledAt: string | null;
  /** Why the last copy failed; null: no copy has failed. */
  failure: string | null;
}

/** A tag of the fallback that is not replaced by the primary's until the operator decides. Times are ISO 8601 in UTC. */
export interface WaitingView {
  /** The repository's name as clients use it. */
  repository: string;
  tag: string;
  /** When a comparison first found the tag like this. */
  since: string;
  /** `newer`: the copy is the later one. `unknown`: it is not known which is, and the primary lacks the copy's manifest. */
  why: 'newer' | 'unknown';
  /** When the primary's was pushed, and the copy pushed or uploaded; null: the registry does not tell. */
  primaryAt: string | null;
  copyAt: string | null;
}

export interface RepositoryReport {
  /** The repository's name as clients use it. */
  repository: string;
  /** Count of tags, or of pulled references. */
  references: number;
  missing: number;
  stale: number;
  unknown: number;
  /** The worst gaps first, up to the limit. */
  gaps: GapReport[];
}

/** One copy route: from a push upstream to one fallback. */
export interface RouteReport {
  name: string;
  prefix: string;
  registry: string | null;
  source: string;
  target: string;
  /** Whether the fallback can serve. */
  targetState: HealthState;
  /** Whether the push upstream is up now. */
  sourceState: HealthState;
  /** Start of the last complete comparison; null: none has completed. */
  comparedAt: string | null;
  /** Why the last comparison failed; null: it succeeded, or none has ended. */
  failed: string | null;
  /** Whether the last complete comparison ended more than two times `replication.every` ago, or none has since the start. */
  overdue: boolean;
  references: number;
  covered: number;
  missing: number;
  stale: number;
  /** References that changed, or were pulled, and were neither copied nor compared since. */
  unknown: number;
  /** Age of the oldest of them; null: there is none. */
  unknownSeconds: number | null;
  /** Pulled references that the push upstream no longer has. They are not counted among the references. */
  gone: number;
  /** Share of references that can be pulled with the right digest, 0 to 1; null: there are no references. 0 while the fallback is down. */
  ratio: number | null;
  lagSeconds: number;
  repositories: number;
  /** Repositories with gaps, the worst first, up to the limit. */
  worst: RepositoryReport[];
  /** Count of repositories with gaps. */
  withGaps: number;
  /** Tags that wait for the operator, also counted as stale. */
  waiting: number;
  /** These tags, up to the limit. */
  waitingTags: WaitingView[];
}

/** What clients could pull if the push upstream failed now. */
export interface CoverageReport {
  at: string;
  /**
   * `unknown`: no gap is known, but not everything was compared. `covered`: all can be pulled, but for what changed within `graceSeconds` and
   * is being copied.
   */
  verdict: 'covered' | 'incomplete' | 'unknown';
  /** Whether this edge makes copies. */
  active: boolean;
  reason: string;
  /** Seconds for which something may be unknown before it is a finding. */
  graceSeconds: number;
  /** The time window of pulls that was requested; null: all tags. */
  pulled: string | null;
  /** Since when this edge has recorded pulls. */
  pullsKnownSince: string;
  routes: RouteReport[];
  /** Routes that take pushes but have no upstream with `replicate: true`. */
  uncopied: { prefix: string; registry: string | null; push: string }[];
}

/** The counts of one route, over all tags or over pulled references. */
export type ReferenceCounts = Pick<
  RouteReport,
  'references' | 'missing' | 'stale' | 'unknown' | 'unknownSeconds' | 'gone' | 'repositories' | 'worst' | 'withGaps'
>;
