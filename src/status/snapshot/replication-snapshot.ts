import type { CopyCounts, CopyRouteView, ReplicationView } from '../../replication/replication-view.ts';

/** A repository with missing or stale tags. */
export interface GapSnapshot {
  repository: string;
  missing: number;
  stale: number;
  /** The tags whose gap is oldest. */
  tags: string[];
  since: string | null;
}

/** An image that could not be copied and is retried. */
export interface FailureSnapshot {
  repository: string;
  reference: string;
  /** When the copy was first due. */
  since: string;
  tries: number;
  reason: string;
  /** Whether a retry may succeed without an operator. */
  passing: boolean;
}

/** Copies of one route from its push upstream to another upstream. Times are ISO 8601 in UTC. */
export interface CopyRouteSnapshot {
  prefix: string;
  registry?: string;
  source: string;
  target: string;
  coverage: {
    repositories: number;
    tags: number;
    missing: number;
    stale: number;
    /** Share of tags that could be pulled with the right digest; null if unknown. */
    ratio: number | null;
    /** When the last complete comparison began; null before the first. */
    comparedAt: string | null;
  };
  /** Age of the oldest gap; 0 if there is none. */
  lagSeconds: number;
  queued: number;
  failing: number;
  /** Some of the failing copies. */
  failures: FailureSnapshot[];
  /** The repositories with the most gaps first. */
  gaps: GapSnapshot[];
  reconcile: {
    at: string;
    tookMs: number;
    repositories: number;
    tags: number;
    gaps: number;
    /** Why the last comparison failed, and since when comparisons fail. */
    failed: string | null;
    failingSince: string | null;
  } | null;
  reconciling: boolean;
}

export interface ReplicationSnapshot {
  /** Whether this edge copies; `reason` says why or why not. */
  active: boolean;
  reason: string;
  queue: { waiting: number; running: number; failed: number };
  copies: CopyCounts;
  /** Bytes of copied blobs. */
  bytes: number;
  /** Hints that were dropped because the queue was full. */
  dropped: number;
  routes: CopyRouteSnapshot[];
}

/** Repositories and failures shown of each route. `breakwater coverage` shows more. */
const SHOWN = 20;
const TAGS_SHOWN = 5;

export function replicationSnapshot(view: ReplicationView): ReplicationSnapshot {
  const { active, reason, queue, copies, bytes, dropped, routes } = view;
  return { active, reason, queue, copies, bytes, dropped, routes: routes.map(copyRouteSnapshot) };
}

function copyRouteSnapshot(view: CopyRouteView): CopyRouteSnapshot {
  const { prefix, registry, source, target, coverage, comparedAt, lagMs, queued, failing, reconciling } = view;
  return {
    prefix,
    ...(registry === undefined ? {} : { registry }),
    source,
    target,
    coverage: { ...coverage, ratio: coverage.ratio ?? null, comparedAt: isoOr(comparedAt) },
    lagSeconds: Math.round(lagMs / 1000),
    queued,
    failing,
    failures: view.failures.slice(0, SHOWN).map(({ repository, reference, since, tries, reason, passing }) => ({
      repository,
      reference,
      since: iso(since),
      tries,
      reason,
      passing,
    })),
    gaps: view.gaps(SHOWN).map(({ repository, missing, stale, gaps }) => ({
      repository,
      missing,
      stale,
      tags: gaps.slice(0, TAGS_SHOWN).map(({ tag }) => tag),
      since: isoOr(gaps[0]?.since),
    })),
    reconcile: reconcileOf(view),
    reconciling,
  };
}

function reconcileOf({ reconcile, failingSince }: CopyRouteView): CopyRouteSnapshot['reconcile'] {
  if (!reconcile) return null;
  const { at, tookMs, repositories, tags, gaps, failed } = reconcile;
  return {
    at: iso(at),
    tookMs,
    repositories,
    tags,
    gaps,
    failed: failed ?? null,
    failingSince: isoOr(failingSince),
  };
}

function isoOr(ms: number | undefined): string | null {
  return ms === undefined ? null : iso(ms);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
