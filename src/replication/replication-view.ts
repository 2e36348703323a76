import type { HealthState } from '../failover/view.ts';
import type { CoverageTotals, RepositoryCoverage, TagCoverage } from './coverage/coverage.ts';

/** What the last whole comparison of a way came to. Times are epoch milliseconds. */
export interface ReconcileView {
  at: number;
  tookMs: number;
  repositories: number;
  tags: number;
  /** Tags that were not as on the push upstream, and were queued. */
  gaps: number;
  /** Why it did not come to its end; undefined: it did. */
  failed: string | undefined;
}

/** Something that could not be copied yet. */
export interface FailureView {
  /** As clients name it. */
  repository: string;
  reference: string;
  since: number;
  at: number;
  tries: number;
  reason: string;
  /** Whether it is tried again by itself before the next reconcile. */
  passing: boolean;
}

/** One way of copying: a route, from its push upstream to one of the others. */
export interface CopyRouteView {
  name: string;
  prefix: string;
  registry: string | undefined;
  source: string;
  target: string;
  /** `down` too if it refuses all that this edge shows it: it could serve nothing. */
  targetState: HealthState;
  /** Milliseconds for which the oldest known gap has been one; 0: none is known. */
  lagMs: number;
  /** Tasks that wait or are being done. */
  queued: number;
  /** Tasks that failed, and are tried again later. */
  failing: number;
  /** All of them. */
  failures: FailureView[];
  /** When the last comparison began that came to its end; undefined: none did, so that not all is known. */
  comparedAt: number | undefined;
  /** The last one, however it ended. Undefined: none ended yet. */
  reconcile: ReconcileView | undefined;
  /** Since when none comes to its end; undefined: the last one did. */
  failingSince: number | undefined;
  /** A comparison is under way. */
  reconciling: boolean;
  coverage: CoverageTotals;
  /** Repositories with gaps, the worst first. */
  gaps: (max: number) => RepositoryCoverage[];
  /** Of a tag, or of a digest that was pulled by itself; the repository as clients name it. */
  stateOf: (repository: string, reference: string) => TagCoverage;
  /** Since when a tag is a gap; undefined: it is none, or that is not known. */
  sinceOf: (repository: string, tag: string) => number | undefined;
}

/** What came of copies, since the start or since the configuration of copying changed. */
export interface CopyCounts {
  copied: number;
  /** It was there already. */
  same: number;
  /** The push upstream had no such thing any more. */
  absent: number;
  deleted: number;
  failed: number;
}

export interface ReplicationView {
  /** Whether this edge copies now. */
  active: boolean;
  /** Why, or why not. */
  reason: string;
  copies: CopyCounts;
  /** Bytes of blobs that were copied. */
  bytes: number;
  /** Tasks: `failed` are those that are tried again later. */
  queue: { waiting: number; running: number; failed: number };
  copied: number;
  failed: number;
  /** Hints that there was no room for; reconcile makes them good. */
  dropped: number;
  routes: CopyRouteView[];
}
