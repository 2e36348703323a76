import { imageName } from '../../oci/reference.ts';
import type { CopyRouteView, ReplicationView } from '../../replication/replication-view.ts';
import { waitingCommands } from './waiting-text.ts';

/** What the headline says about replication. */
export interface ReplicationNews {
  lines: string[];
  /** Whether a gap or a failure has lasted so long that the operator should act. */
  degraded: boolean;
}

/** The headline mentions failures that have lasted this long. */
const NEWS_SECONDS = 60;
/** Failures that have lasted this long make the level `degraded`. A tag that is known to be missing or stale does so at once. */
const DEGRADED_SECONDS = 300;
/** Most names in one sentence. */
const MAX_NAMES = 4;

/**
 * Says which tags could not be pulled without the push upstream.
 * @param isDown whether an upstream serves no pulls now
 * @param now epoch milliseconds
 */
export function replicationNews(
  replication: ReplicationView | null,
  isDown: (upstream: string) => boolean,
  now: number,
): ReplicationNews {
  if (!replication?.active) return { lines: [], degraded: false };
  const { routes, graceSeconds } = replication;
  // Nothing can be pulled from a fallback that is down, whatever it has.
  const bySource = Map.groupBy(
    routes.filter((route) => isNews(route) && !isDown(route.target)),
    ({ source }) => source,
  );
  const unknown = routes.filter(({ coverage: { unknownSeconds } }) => (unknownSeconds ?? 0) > graceSeconds);
  const overdue = routes.filter(({ coverage }) => coverage.overdue);
  const failed = routes.filter(({ reconcile }) => reconcile?.failed != null);
  const failedFor = ({ reconcile }: CopyRouteView) =>
    (now - Date.parse(reconcile?.failingSince ?? reconcile?.at ?? '')) / 1000;
  return {
    lines: [
      ...[...bySource].flatMap(([source, some]) => gapLines(source, some, isDown(source))),
      ...bothDownLines(routes, isDown),
      ...unknown.map(unknownLine),
      ...overdue.map(overdueLine),
      ...routes.filter(({ waiting }) => waiting > 0).map(waitingLine),
      ...failed.filter((route) => failedFor(route) >= NEWS_SECONDS).map(comparisonLine),
    ],
    degraded:
      routes.some(({ waiting }) => waiting > 0) ||
      unknown.length > 0 ||
      overdue.length > 0 ||
      routes.some((route) => gapsOf(route) > 0 || (route.failing > 0 && route.lagSeconds >= DEGRADED_SECONDS)) ||
      failed.some((route) => failedFor(route) >= DEGRADED_SECONDS),
  };
}

function isNews(route: CopyRouteView): boolean {
  return gapsOf(route) > 0 || (route.failing > 0 && route.lagSeconds >= NEWS_SECONDS);
}

function gapsOf({ coverage }: CopyRouteView): number {
  return coverage.missing + coverage.stale;
}

function bothDownLines(routes: readonly CopyRouteView[], isDown: (upstream: string) => boolean): string[] {
  const pairs = routes.filter(({ source, target }) => isDown(source) && isDown(target));
  const lines = pairs.map(
    ({ source, target }) => `While ${source} and ${target} are down, nothing of what was copied can be pulled.`,
  );
  return [...new Set(lines)];
}

function unknownLine({ source, target, coverage: { unknown, unknownSeconds }, gaps }: CopyRouteView): string {
  const images = gaps.flatMap((gap) => (gap.unknown > 0 ? gap.tags.map((tag) => imageName(gap.repository, tag)) : []));
  const minutes = Math.floor((unknownSeconds ?? 0) / 60);
  const [what, have] = unknown === 1 ? ['A tag', 'has'] : [`${unknown.toLocaleString('en')} tags`, 'have'];
  return `${what} of ${source} ${have} changed, and for ${minutes} min it has been unknown whether ${target} has ${unknown === 1 ? 'it' : 'them'}: ${names(images, unknown)}.`;
}

function overdueLine({ source, target }: CopyRouteView): string {
  return `It is unknown which tags of ${source} are missing on ${target}: no comparison has been complete for two times replication.every.`;
}

function gapLines(source: string, routes: readonly CopyRouteView[], isDown: boolean): string[] {
  const sum = (of: (route: CopyRouteView) => number) => routes.reduce((all, route) => all + of(route), 0);
  const open = sum(gapsOf);
  const tags = sum(({ coverage }) => coverage.tags);
  const named = routes.flatMap(({ gaps }) =>
    gaps.flatMap(({ repository, missing, stale, tags: some }) =>
      missing + stale > 0 ? some.map((reference) => imageName(repository, reference)) : [],
    ),
  );
  const digests = routes.flatMap(({ failures }) => failures).filter(({ reference }) => reference.includes(':'));
  const why = whyOf(routes);
  const [when, cannot] = isDown ? [`While ${source} is down`, 'cannot'] : [`If ${source} died now`, 'could not'];
  if (open > 0) {
    const of = `${open.toLocaleString('en')} of ${tags.toLocaleString('en')} tags`;
    return [`${when}, ${of} ${cannot} be pulled: ${names(named, open)}${why}.`];
  }
  if (digests.length === 0) return [];
  const shown = digests.map(({ repository, reference }) => `${repository}@${reference.slice(0, 19)}`);
  return [`${when}, some images pulled by digest ${cannot} be pulled: ${names(shown)}${why}.`];
}

/** The first reason for which copies fail, preferably one that a retry will not cure. */
function whyOf(routes: readonly CopyRouteView[]): string {
  const failures = routes.flatMap((route) => route.failures);
  const first = failures.find(({ passing }) => !passing) ?? failures[0];
  return first === undefined ? '' : ` (${first.reason.slice(0, 200)})`;
}

function waitingLine(route: CopyRouteView): string {
  const { source, target, waiting, waitingTags } = route;
  const images = waitingTags.map(({ repository, tag }) => `${repository}:${tag}`);
  const [are, wait] = waiting === 1 ? ['A tag', 'waits'] : [`${waiting.toLocaleString('en')} tags`, 'wait'];
  const what = `${are} on ${target} may be newer than on ${source}, and ${wait} for you: ${names(images, waiting)}`;
  return `${what}. ${waitingCommands(images[0] ?? 'IMAGE', route)}.`;
}

function comparisonLine({ source, target, reconcile }: CopyRouteView): string {
  return `It is unknown which tags of ${source} are missing on ${target}: their comparison fails (${reconcile?.failed?.slice(0, 200)}).`;
}

/** The first names, and how many more there are. @param count default: the names */
export function names(all: readonly string[], count = all.length): string {
  const shown = all.slice(0, MAX_NAMES);
  const more = count - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more.toLocaleString('en')} more` : ''}`;
}
