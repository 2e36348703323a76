import { Coverage, type RepositoryComparison } from '../../src/replication/coverage/coverage.ts';
import type { CopyRouteView, CoveredRoute, ReplicationView } from '../../src/replication/replication-view.ts';

type Found = Partial<RepositoryComparison> & Pick<RepositoryComparison, 'repository' | 'tags' | 'missing' | 'stale'>;

/** The result of a comparison that is later than every known change. */
export function compared(found: Found): RepositoryComparison {
  const { comparedAt = Number.POSITIVE_INFINITY, ledgerTime = comparedAt } = found;
  return { ...found, comparedAt, ledgerTime };
}

/** A copy route as the status shows it, from what was found of it. */
export function copyRouteView(
  found: readonly Found[],
  over: Partial<CopyRouteView> = {},
  since = Date.now(),
): CopyRouteView {
  const coverage = coverageOf(found, since);
  const at = new Date(since).toISOString();
  return {
    prefix: 'library/',
    registry: undefined,
    source: 'harbor',
    target: 'gcr',
    lagSeconds: 0,
    queued: 0,
    failing: 0,
    allFailSince: null,
    failures: [],
    waiting: 0,
    waitingTags: [],
    reconcile: {
      ...{ at, tookMs: 100, repositories: found.length, tags: 0, gaps: 0, unconfirmed: 0 },
      ...{ failed: null, failingSince: null },
    },
    reconciling: false,
    coverage: { ...coverage.totals(), comparedAt: at, unknownSeconds: null, overdue: false },
    gaps: coverage.gaps(20, 5).map(({ repository, missing, stale, unknown, gaps }) => ({
      repository,
      missing,
      stale,
      unknown,
      tags: gaps.map(({ reference }) => reference),
      since: gaps[0]?.since ?? null,
    })),
    ...over,
  };
}

/** The same route as a coverage report reads it. */
export function coveredRoute(
  found: readonly Found[],
  over: Partial<Omit<CoveredRoute, 'view'>> = {},
  view: CopyRouteView = copyRouteView(found),
  since = Date.now(),
): CoveredRoute {
  const coverage = coverageOf(found, since);
  return {
    copyRoute: { name: 'library/ on harbor -> gcr', route: { prefix: view.prefix, registry: view.registry } },
    targetState: 'up',
    sourceState: 'up',
    failures: view.failures,
    waitingTags: (max) => view.waitingTags.slice(0, max),
    view: () => view,
    gaps: (repositories, tags) => coverage.gaps(repositories, tags),
    stateOf: (repository, reference) => coverage.tagState(repository, reference),
    sinceOf: (repository, tag) => coverage.gapSince(repository, tag),
    ...over,
  };
}

function coverageOf(found: readonly Found[], since: number): Coverage {
  const coverage = new Coverage(() => since);
  for (const one of found) coverage.recordComparison(compared(one));
  return coverage;
}

export function replicationView(
  routes: readonly CopyRouteView[],
  over: Partial<ReplicationView> = {},
): ReplicationView {
  return {
    active: true,
    reason: 'replication.when is always',
    graceSeconds: 300,
    copies: { copied: 0, same: 0, absent: 0, deleted: 0, failed: 0 },
    bytes: 0,
    queue: { waiting: 0, running: 0, failed: 0 },
    dropped: 0,
    routes: [...routes],
    ...over,
  };
}
