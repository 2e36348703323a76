import { Coverage, type RepositoryComparison, type TagCoverage } from '../../src/replication/coverage/coverage.ts';
import type { CopyRouteView, ReplicationView } from '../../src/replication/replication-view.ts';

/** A way of copying as a view tells of it, from what was found of it. */
export function copyRouteView(
  found: readonly RepositoryComparison[],
  over: Partial<CopyRouteView> = {},
  since = Date.now(),
): CopyRouteView {
  const coverage = new Coverage(() => since);
  for (const one of found) coverage.recordComparison(one);
  return {
    name: 'library/ on harbor -> gcr',
    prefix: 'library/',
    registry: undefined,
    source: 'harbor',
    target: 'gcr',
    targetState: 'up',
    lagMs: 0,
    queued: 0,
    failing: 0,
    failures: [],
    comparedAt: since,
    reconcile: { at: since, tookMs: 100, repositories: found.length, tags: 0, gaps: 0, failed: undefined },
    failingSince: undefined,
    reconciling: false,
    coverage: coverage.totals(),
    gaps: (max) => coverage.gaps(max),
    stateOf: (repository, reference): TagCoverage => coverage.tagState(repository, reference),
    sinceOf: (repository, tag) => coverage.gapSince(repository, tag),
    ...over,
  };
}

export function replicationView(
  routes: readonly CopyRouteView[],
  over: Partial<ReplicationView> = {},
): ReplicationView {
  return {
    active: true,
    reason: 'replication.when is always',
    copies: { copied: 0, same: 0, absent: 0, deleted: 0, failed: 0 },
    bytes: 0,
    queue: { waiting: 0, running: 0, failed: 0 },
    copied: 0,
    failed: 0,
    dropped: 0,
    routes: [...routes],
    ...over,
  };
}
