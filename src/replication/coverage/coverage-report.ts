import { type ClockReading, isoTime, readClocks } from '../../clock/clock.ts';
import type { Route } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { CopyRouteView, CoveredRoute } from '../replication-view.ts';
import type { CoverageQuery } from './coverage-query.ts';
import type { PulledLog, PulledManifest } from './pulled-log.ts';
import { pulledTally } from './pulled-tally.ts';
import type { CoverageReport, ReferenceCounts, RepositoryReport, RouteReport } from './report.ts';

export interface CoverageInput {
  /** Undefined: no route has `replicate: true`. */
  replication:
    | { activity: { active: boolean; reason: string }; graceMs: number; routes: readonly CoveredRoute[] }
    | undefined;
  routes: readonly Route[];
  pulls: Pick<PulledLog, 'within' | 'since'>;
}

/** Most gaps in one report; each takes some 200 bytes. */
const MAX_REPORTED_GAPS = 10_000;

/** @throws OciError for a route that does not exist */
export function coverageReport(
  { replication, routes, pulls }: CoverageInput,
  query: CoverageQuery,
  now: ClockReading = readClocks(),
): CoverageReport {
  const all = replication?.routes ?? [];
  const selected = all.filter(({ copyRoute }) => isSelected(copyRoute.route.prefix, query));
  const uncopied = routes.filter((one) => one.push && !one.pull.some(({ replicate }) => replicate));
  const selectedUncopied = uncopied.filter(({ prefix }) => isSelected(prefix, query));
  if (query.route !== undefined && selected.length + selectedUncopied.length === 0)
    throw new OciError('NAME_UNKNOWN', `no route with the prefix ${query.route} takes pushes`);
  const pulled = query.pulledMs === undefined ? undefined : [...pulls.within(query.pulledMs)];
  const reports = capGaps(selected.map((one) => routeReport(one, routes, pulled, query.limit, now.monotonic)));
  const graceSeconds = (query.graceMs ?? replication?.graceMs ?? 0) / 1000;
  const { active, reason } = replication?.activity ?? { active: false, reason: 'no route has replicate: true' };
  return {
    at: isoTime(now.monotonic, now),
    verdict: active ? verdictOf(reports, graceSeconds) : 'unknown',
    active,
    reason,
    graceSeconds,
    pulled: query.pulled ?? null,
    pullsKnownSince: isoTime(pulls.since, now),
    routes: reports,
    uncopied: selectedUncopied.map(({ prefix, registry, push }) => ({
      prefix,
      registry: registry ?? null,
      push: push?.upstream ?? '',
    })),
  };
}

/** Keeps the report small enough to send and to read. */
function capGaps(reports: readonly RouteReport[]): RouteReport[] {
  let room = MAX_REPORTED_GAPS;
  return reports.map((report) => {
    const worst = report.worst.map((one) => {
      const gaps = one.gaps.slice(0, room);
      room -= gaps.length;
      return { ...one, gaps };
    });
    return { ...report, worst };
  });
}

function isSelected(prefix: string, { route }: CoverageQuery): boolean {
  return route === undefined || prefix === (route === '*' ? '' : route);
}

function verdictOf(reports: readonly RouteReport[], graceSeconds: number): CoverageReport['verdict'] {
  if (reports.some(({ missing, stale, targetState }) => missing + stale > 0 || targetState === 'down'))
    return 'incomplete';
  const nothing = reports.every(({ references }) => references === 0);
  const known = reports.every(
    ({ comparedAt, failed, overdue, unknownSeconds, targetState }) =>
      comparedAt !== null &&
      failed === null &&
      !overdue &&
      (unknownSeconds ?? 0) <= graceSeconds &&
      targetState === 'up',
  );
  return known && !nothing ? 'covered' : 'unknown';
}

function routeReport(
  route: CoveredRoute,
  routes: readonly Route[],
  pulled: readonly PulledManifest[] | undefined,
  limit: number,
  now: number,
): RouteReport {
  const view = route.view();
  const figures = pulled ? pulledTally(route, routes, pulled, limit, now) : countAllTags(route, view, limit);
  const { references, missing, stale, unknown } = figures;
  // A fallback that is down serves nothing of what it has.
  const covered = route.targetState === 'down' ? 0 : Math.max(0, references - missing - stale - unknown);
  return {
    name: route.copyRoute.name,
    prefix: view.prefix,
    registry: view.registry ?? null,
    source: view.source,
    target: view.target,
    targetState: route.targetState,
    sourceState: route.sourceState,
    comparedAt: view.coverage.comparedAt,
    failed: view.reconcile?.failed ?? null,
    overdue: view.coverage.overdue,
    covered,
    ratio: references === 0 ? null : covered / references,
    lagSeconds: view.lagSeconds,
    ...figures,
    worst: figures.worst.map((one) => withFailures(one, route)),
    waiting: view.waiting,
    waitingTags: route.waitingTags(limit),
  };
}

function countAllTags(route: CoveredRoute, { coverage }: CopyRouteView, limit: number): ReferenceCounts {
  const { tags: references, missing, stale, unknown, unknownSeconds, repositories, incomplete: withGaps } = coverage;
  const worst = route.gaps(limit, limit);
  return { references, missing, stale, unknown, unknownSeconds, gone: 0, repositories, worst, withGaps };
}

function withFailures(report: RepositoryReport, { failures }: CoveredRoute): RepositoryReport {
  const mine = new Map(
    failures.filter(({ repository }) => repository === report.repository).map((one) => [one.reference, one.reason]),
  );
  return {
    ...report,
    gaps: report.gaps.map((gap) => ({ ...gap, failure: mine.get(gap.reference) ?? null })),
  };
}
