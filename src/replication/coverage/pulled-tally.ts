import { findRoute, type Route } from '../../failover/rewrite.ts';
import type { CoveredRoute } from '../replication-view.ts';
import type { PulledManifest } from './pulled-log.ts';
import type { ReferenceCounts, RepositoryReport } from './report.ts';

interface RepositoryTally extends RepositoryReport {
  /** Pulls of references that are not covered. */
  gapPulls: { pulled: PulledManifest; state: 'missing' | 'stale' | 'unknown' }[];
}

/**
 * Counts what was pulled of a route against the coverage of its fallback.
 * @param limit most repositories, and most references of each
 */
export function pulledTally(
  covered: CoveredRoute,
  routes: readonly Route[],
  pulls: readonly PulledManifest[],
  limit: number,
): ReferenceCounts {
  const counted = new Map<string, RepositoryTally>();
  let gone = 0;
  for (const pulled of pulls) {
    const { registry, repository, reference } = pulled;
    const route = findRoute(routes, registry, repository);
    if (route?.prefix !== covered.copyRoute.route.prefix || route.registry !== covered.copyRoute.route.registry)
      continue;
    const state = covered.stateOf(repository, reference);
    if (state === 'gone') {
      gone += 1;
      continue;
    }
    const count = counted.get(repository) ?? emptyTally(repository);
    counted.set(repository, count);
    count.references += 1;
    if (state === 'covered') continue;
    count[state] += 1;
    count.gapPulls.push({ pulled, state });
  }
  const all = [...counted.values()];
  const sum = (of: 'references' | 'missing' | 'stale' | 'unknown') => all.reduce((total, one) => total + one[of], 0);
  const bad = all.filter(({ gapPulls }) => gapPulls.length > 0).sort(bySeverity);
  return {
    references: sum('references'),
    missing: sum('missing'),
    stale: sum('stale'),
    unknown: sum('unknown'),
    gone,
    repositories: all.length,
    worst: bad.slice(0, limit).map((one) => toReport(one, limit, covered)),
    withGaps: bad.length,
  };
}

function emptyTally(repository: string): RepositoryTally {
  return { repository, references: 0, missing: 0, stale: 0, unknown: 0, gaps: [], gapPulls: [] };
}

/** Missing and stale references come before unknown ones. */
function bySeverity(a: RepositoryTally, b: RepositoryTally): number {
  return b.missing + b.stale - (a.missing + a.stale) || b.unknown - a.unknown || (a.repository < b.repository ? -1 : 1);
}

/** The most recent pull comes first. */
function toReport({ gapPulls, ...report }: RepositoryTally, limit: number, route: CoveredRoute): RepositoryReport {
  const iso = (ms: number) => new Date(ms).toISOString();
  const gaps = gapPulls
    .sort((a, b) => b.pulled.at - a.pulled.at)
    .slice(0, limit)
    .map(({ pulled: { reference, at }, state }) => {
      // For a digest the start of its gap is not known.
      const known = route.sinceOf(report.repository, reference);
      const from = known === undefined ? null : iso(known);
      return { reference, state, since: from, pulledAt: iso(at), failure: null };
    });
  return { ...report, gaps };
}
