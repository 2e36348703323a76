import type { HealthState } from '../../failover/view.ts';

/** Something that could not be pulled with the right digest. Times are ISO 8601. */
export interface GapReport {
  /** Tag or digest. */
  reference: string;
  state: 'missing' | 'stale' | 'unknown';
  /** When it was first known to be so; null: not known. */
  since: string | null;
  /** When a client last pulled it; null: that was not asked for. */
  pulledAt: string | null;
  /** Why it could not be copied; null: that was not tried, or has not failed. */
  failure: string | null;
}

export interface RepositoryReport {
  /** As clients name it. */
  repository: string;
  /** Tags, or what was pulled. */
  references: number;
  missing: number;
  stale: number;
  unknown: number;
  /** The worst first; not more than the limit. */
  gaps: GapReport[];
}

/** One way of copying: a route, from its push upstream to one of the others. */
export interface RouteReport {
  name: string;
  prefix: string;
  registry: string | null;
  source: string;
  target: string;
  /** Whether it could serve at all. */
  targetState: HealthState;
  /** When the last comparison began that came to its end; null: none did. */
  comparedAt: string | null;
  /** Why the last one did not; null: it did, or none ended yet. */
  failed: string | null;
  references: number;
  covered: number;
  missing: number;
  stale: number;
  /** Not compared yet. */
  unknown: number;
  /** Was pulled, and is not on the push upstream any more; not among the references. */
  gone: number;
  /** Share of references that could be pulled with the right digest, 0 to 1; null: there is none. */
  ratio: number | null;
  lagSeconds: number;
  repositories: number;
  /** Repositories with gaps, the worst first; not more than the limit. */
  worst: RepositoryReport[];
  /** How many have gaps. */
  withGaps: number;
}

/** What could be pulled if the push upstream died now. */
export interface CoverageReport {
  at: string;
  /** `unknown`: nothing is known to be missing, and not all is known. */
  verdict: 'covered' | 'incomplete' | 'unknown';
  /** Whether this edge copies, so that it knows. */
  active: boolean;
  reason: string;
  /** What was asked for: only what was pulled within that time; null: everything. */
  pulled: string | null;
  /** Since when this edge has heard of pulls. */
  pullsKnownSince: string;
  routes: RouteReport[];
  /** Routes that take pushes and have no copies made. */
  uncopied: { prefix: string; registry: string | null; push: string }[];
}

/** What a report counts of a route: all its tags, or what was pulled. */
export type ReferenceCounts = Pick<
  RouteReport,
  'references' | 'missing' | 'stale' | 'unknown' | 'gone' | 'repositories' | 'worst' | 'withGaps'
>;
