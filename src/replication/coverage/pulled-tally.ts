import { isoTime } from '../../clock/clock.ts';
import { findRoute, type Route } from '../../failover/rewrite.ts';
import type { CoveredRoute } from '../replication-view.ts';
import type { PulledManifest } from './pulled-log.ts';
import type { ReferenceCounts, RepositoryReport } from './report.ts';

/**
 * Counts what was pulled of a route against the coverage of its fallback.
 * @param limit most repositories, and most references of each; the most recent pull comes first
 * @param now monotonic milliseconds
 */
export function pulledTally(
  covered: CoveredRoute,
  routes: readonly Route[],
  pulls: readonly PulledManifest[],
  limit: number,
  now: number,
): ReferenceCounts {
  const counted = new Map<string, RepositoryReport>();
  const { prefix, registry: routeRegistry } = covered.copyRoute.route;
  let gone = 0;
  let oldest = Number.POSITIVE_INFINITY;
  for (const { registry, repository, reference, at, since: pulledSince } of pulls.toSorted((a, b) => b.at - a.at)) {
    const route = findRoute(routes, registry, repository);
    if (route?.prefix !== prefix || route.registry !== routeRegistry) continue;
    const state = covered.stateOf(repository, reference);
    if (state === 'gone') {
      gone += 1;
      continue;
    }
    const count = counted.get(repository) ?? emptyReport(repository);
    counted.set(repository, count);
    count.references += 1;
    if (state === 'covered') continue;
    count[state] += 1;
    const known = covered.sinceOf(repository, reference);
    // For a missing digest the start of its gap is not known.
    const since = known ?? (state === 'unknown' ? pulledSince : undefined);
    if (state === 'unknown' && since !== undefined) oldest = Math.min(oldest, since);
    const shown = since === undefined ? null : isoTime(since);
    count.gaps.push({ reference, state, since: shown, pulledAt: isoTime(at), failure: null });
  }
  const all = [...counted.values()];
  const sum = (of: 'references' | 'missing' | 'stale' | 'unknown') => all.reduce((total, one) => total + one[of], 0);
  const bad = all.filter(({ gaps }) => gaps.length > 0).sort(bySeverity);
  return {
    references: sum('references'),
    missing: sum('missing'),
    stale: sum('stale'),
    unknown: sum('unknown'),
    unknownSeconds: secondsSince(oldest, now),
    gone,
    repositories: all.length,
    worst: bad.slice(0, limit).map((one) => ({ ...one, gaps: one.gaps.slice(0, limit) })),
    withGaps: bad.length,
  };
}

/** Infinity: never. */
export function secondsSince(at: number, now: number): number | null {
  return Number.isFinite(at) ? Math.round(Math.max(0, now - at) / 1000) : null;
}

function emptyReport(repository: string): RepositoryReport {
  return { repository, references: 0, missing: 0, stale: 0, unknown: 0, gaps: [] };
}

/** Missing and stale references come before unknown ones. */
function bySeverity(a: RepositoryReport, b: RepositoryReport): number {
  return b.missing + b.stale - (a.missing + a.stale) || b.unknown - a.unknown || (a.repository < b.repository ? -1 : 1);
}
