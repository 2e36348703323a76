import type { CopyCounts, CopyRouteView, ReplicationView } from '../../replication/replication-view.ts';

/** Of one repository that has gaps. */
export interface GapSnapshot {
  repository: string;
  missing: number;
  stale: number;
  /** Those known for the longest time. */
  tags: string[];
  since: string | null;
}

/** Something that could not be copied, and is tried again. */
export interface FailureSnapshot {
  repository: string;
  reference: string;
  /** When it was to be copied first. */
  since: string;
  tries: number;
  reason: string;
  /** Whether it may go by itself. */
  passing: boolean;
}

/** One way of copying: a route, from its push upstream to one of the others. Times are ISO 8601 in UTC. */
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
    /** Share of tags that could be pulled with the right digest; null: not known. */
    ratio: number | null;
    /** When the last comparison began that came to its end; null: none did yet. */
    comparedAt: string | null;
  };
  /** For how long the oldest gap has been one; 0: there is none. */
  lagSeconds: number;
  queued: number;
  failing: number;
  /** Of those. */
  failures: FailureSnapshot[];
  /** The worst first. */
  gaps: GapSnapshot[];
  reconcile: {
    at: string;
    tookMs: number;
    repositories: number;
    tags: number;
    gaps: number;
    /** Why it did not come to its end, and since when none did. */
    failed: string | null;
    failingSince: string | null;
  } | null;
  reconciling: boolean;
}

export interface ReplicationSnapshot {
  /** Whether this edge copies, and why or why not. */
  active: boolean;
  reason: string;
  queue: { waiting: number; running: number; failed: number };
  copies: CopyCounts;
  /** Of blobs that were copied. */
  bytes: number;
  /** Hints that there was no room for. */
  dropped: number;
  routes: CopyRouteSnapshot[];
}

/** Repositories and failures that are shown of each route; `breakwater coverage` tells more. */
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
