import type { Route } from '../failover/rewrite.ts';
import type { HealthState } from '../failover/view.ts';
import type { CoverageTotals, TagCoverage } from './coverage/coverage.ts';
import type { RepositoryReport, WaitingView } from './coverage/report.ts';

/** A repository with missing or stale tags. */
export interface GapView {
  repository: string;
  missing: number;
  stale: number;
  unknown: number;
  /** The tags whose gap is oldest. */
  tags: string[];
  since: string | null;
}

/** An image that could not be copied and is retried. */
export interface FailureView {
  /** The repository's name as clients use it. */
  repository: string;
  reference: string;
  /** When the copy was first due. */
  since: string;
  tries: number;
  reason: string;
  /** Whether a retry may succeed without an operator. */
  passing: boolean;
  /** Earliest time of the next try; null: the next comparison tries it. */
  nextTry: string | null;
}

/** Copies of one route from its push upstream to another upstream. Times are ISO 8601 in UTC. */
export interface CopyRouteView {
  prefix: string;
  registry?: string | undefined;
  source: string;
  target: string;
  coverage: CoverageTotals & {
    /** When the last complete comparison began; null before the first, and while its result may be outdated. */
    comparedAt: string | null;
    /** Age of the oldest unknown tag; null: there is none. */
    unknownSeconds: number | null;
    /** Whether the last complete comparison ended more than two times `replication.every` ago, or none has since the start. */
    overdue: boolean;
  };
  /** Age of the oldest gap; 0 if there is none. */
  lagSeconds: number;
  /** Copies that wait or are running. */
  queued: number;
  failing: number;
  /** Since when copies fail whatever the image, so that they are tried one at a time; null: they do not. */
  allFailSince: string | null;
  /** Some of the failing copies. */
  failures: FailureView[];
  /** Tags that wait for the operator. They count as stale. */
  waiting: number;
  /** Some of them. */
  waitingTags: WaitingView[];
  /** The repositories with the most gaps first. */
  gaps: GapView[];
  /** The last comparison, however it ended; null before the first has ended. */
  reconcile: {
    at: string;
    tookMs: number;
    repositories: number;
    tags: number;
    /** Tags that were not as on the push upstream, and were queued. */
    gaps: number;
    /** Tags of the fallback that were seen deleted on the push upstream for the first time; with `deletions: follow`. */
    unconfirmed: number;
    /** Why the last comparison failed, and since when comparisons fail; null: it succeeded. */
    failed: string | null;
    failingSince: string | null;
  } | null;
  reconciling: boolean;
}

/** What became of tags that waited for the operator. */
export interface AcceptedCopies {
  /** They are copied now. */
  accepted: number;
  /** Tags that go on waiting, because they were only counted. */
  unnamed: number;
}

/** What a coverage report reads of a copy route. Repositories have the names that clients use. */
export interface CoveredRoute {
  readonly copyRoute: { name: string; route: Pick<Route, 'prefix' | 'registry'> };
  /** `down` too if the target refuses all that this edge shows it: it could serve nothing. */
  readonly targetState: HealthState;
  /** Health of the push upstream. */
  readonly sourceState: HealthState;
  /** All failing copies. */
  readonly failures: FailureView[];
  /** Tags that wait for the operator. Beyond a bound they are counted only, so there may be fewer than in the view. */
  waitingTags(max: number): WaitingView[];
  view(): CopyRouteView;
  /** Repositories with gaps, the worst first. */
  gaps(maxRepositories: number, maxTags: number): RepositoryReport[];
  /** The state of a tag, or of a digest that was pulled. */
  stateOf(repository: string, reference: string): TagCoverage;
  /** When the gap of a tag was first seen; monotonic milliseconds. Undefined: the tag has no gap, or that is not known. */
  sinceOf(repository: string, tag: string): number | undefined;
}

/** Replication as `/api/status` shows it. */
export interface ReplicationView {
  /** Whether this edge copies; `reason` says why or why not. */
  active: boolean;
  reason: string;
  /** Seconds for which something may be unknown before it is a finding. */
  graceSeconds: number;
  /** `failed`: copies that are retried later. */
  queue: { waiting: number; running: number; failed: number };
  /**
   * Results of copies since the start, or since the configuration of copies changed. `same`: the target had the image already. `absent`:
   * the push upstream had it no more.
   */
  copies: { copied: number; same: number; absent: number; deleted: number; failed: number };
  /** Bytes of copied blobs. */
  bytes: number;
  /** Hints that were dropped because the queue was full. The next comparison finds what they told. */
  dropped: number;
  routes: CopyRouteView[];
}
