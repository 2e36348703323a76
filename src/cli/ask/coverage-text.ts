import type { CoverageReport, GapReport, RepositoryReport, RouteReport } from '../../replication/coverage/report.ts';
import { ago, countText, table, withShortDigests } from '../text-format.ts';
import { waitingLines } from './waiting-lines.ts';

/** Coverage for a terminal: the answer, then the routes, then the missing tags. @param now epoch milliseconds */
export function coverageText(report: CoverageReport, now: number): string {
  const { routes, pulled, uncopied } = report;
  const since = (iso: string) => ago(now - Date.parse(iso));
  return [
    answerText(report, since),
    ...(routes.length > 0 ? [table([heads(pulled), ...routes.map((route) => routeRow(route, since))])] : []),
    ...routes.flatMap((route) => gapLines(route, pulled, since)),
    ...routes.flatMap((route) => waitingLines(route, route.waiting, route.waitingTags.length)),
    ...uncopied.map(
      ({ prefix, registry, push }) => `${nameOf(prefix, registry)}: not replicated; only ${push} has what is pushed`,
    ),
    '',
  ].join('\n');
}

type Since = (iso: string) => string;

function answerText(
  { verdict, active, reason, routes, pulled, pullsKnownSince }: CoverageReport,
  since: Since,
): string {
  const what = pulled === null ? 'tags' : `images pulled within ${pulled}`;
  const sum = (of: (route: RouteReport) => number) => routes.reduce((all, route) => all + of(route), 0);
  const references = sum((one) => one.references);
  const primaries = [...new Set(routes.map(({ source }) => source))].join(' or ');
  const known =
    pulled === null ? '' : `\nPulls have been recorded for ${since(pullsKnownSince)}, those of the other edges too.`;
  if (!active) return `This edge does not know the coverage, because it does not copy (${reason}).`;
  const isDown = routes.length > 0 && routes.every(({ sourceState }) => sourceState === 'down');
  const [when, can] = isDown ? [`While ${primaries} is down`, 'can'] : [`If ${primaries} died now`, 'could'];
  const down = [...new Set(routes.flatMap(({ target, targetState }) => (targetState === 'down' ? target : [])))];
  if (down.length > 0)
    return `${when}, nothing ${can} be pulled from ${down.join(' and ')}. It is down${isDown ? ' too' : ''}, or refuses this edge's credentials.${known}`;
  const all = `${references.toLocaleString('en')} ${what}`;
  const unknown = sum((one) => one.unknown);
  const age = ago(Math.max(...routes.map(({ unknownSeconds }) => unknownSeconds ?? 0), 0) * 1000);
  const copying = unknown > 0 ? `; being copied: ${unknown.toLocaleString('en')}, oldest ${age}` : '';
  if (verdict === 'covered') {
    const some = unknown > 0 ? (references - unknown).toLocaleString('en') : 'all';
    return `${when}, ${some} of ${all} ${can} be pulled${copying}.${known}`;
  }
  const lost = sum((one) => one.missing + one.stale);
  if (verdict === 'incomplete')
    return `${when}, ${lost.toLocaleString('en')} of ${all} ${can === 'can' ? 'cannot' : 'could not'} be pulled${copying}.${known}`;
  if (routes.some(({ failed }) => failed !== null))
    return `The coverage is not fully known: the last comparison failed.${known}`;
  const waiting = routes.some(({ comparedAt }) => comparedAt === null);
  if (waiting) return `The coverage is not fully known yet: the first comparison is not complete.${known}`;
  const late = routes.filter(({ overdue }) => overdue);
  if (late.length > 0)
    return `The coverage is not fully known: no comparison of ${late.map(({ source, target }) => `${source} and ${target}`).join(', ')} has been complete for two times replication.every.${known}`;
  if (references === 0 && pulled !== null) return `No pull within ${pulled} is recorded.${known}`;
  if (references === 0) return 'There is nothing to copy.';
  return `The coverage of ${unknown.toLocaleString('en')} of ${all} has been unknown for ${age}.${known}`;
}

function heads(pulled: string | null): string[] {
  const references = pulled === null ? 'tags' : 'pulled';
  return ['', 'route', 'from -> to', 'covered', references, 'missing', 'stale', 'unknown', 'lag', 'compared'];
}

function routeRow(route: RouteReport, since: Since): string[] {
  const { prefix, registry, source, target, ratio, references, missing, stale, unknown, lagSeconds, failed } = route;
  const compared = route.comparedAt === null ? 'not yet' : `${since(route.comparedAt)} ago`;
  return [
    '',
    nameOf(prefix, registry),
    `${source} -> ${target}`,
    ratio === null ? '-' : percentText(ratio),
    ...[references, missing, stale, unknown].map((count) => count.toLocaleString('en')),
    lagSeconds === 0 ? '-' : ago(lagSeconds * 1000),
    failed === null ? compared : `${compared}; the last comparison failed: ${failed}`,
  ];
}

/** Rounds down, so that 100 % means complete. */
export function percentText(ratio: number): string {
  return `${Math.floor(ratio * 1000) / 10}%`;
}

function gapLines(
  { prefix, registry, target, worst, withGaps, missing, stale }: RouteReport,
  pulled: string | null,
  since: Since,
): string[] {
  if (worst.length === 0) return [];
  const more = withGaps - worst.length;
  return [
    `${missing + stale > 0 ? 'missing or stale' : 'not known to be'} on ${target}, route ${nameOf(prefix, registry)}:`,
    ...worst.map((one) => repositoryText(one, pulled, since)),
    ...(more > 0 ? [`  and ${countText(more, 'repository', 'repositories')} more`] : []),
  ];
}

function repositoryText(
  { repository, references, missing, stale, unknown, gaps }: RepositoryReport,
  pulled: string | null,
  since: Since,
): string {
  const open = missing + stale + unknown;
  const unit = pulled === null ? 'tag' : 'image';
  const rest = open - gaps.length;
  return [
    `  ${repository}: ${open.toLocaleString('en')} of ${countText(references, unit)}`,
    table(gaps.map((gap) => gapRow(gap, since))),
    ...(rest > 0 ? [`    and ${rest.toLocaleString('en')} more`] : []),
  ].join('\n');
}

function gapRow({ reference, state, since: from, pulledAt, failure }: GapReport, since: Since): string[] {
  const how = { missing: 'missing', stale: 'another digest', unknown: 'unknown' }[state];
  return [
    '   ',
    withShortDigests(reference),
    from === null ? how : `${how} for ${since(from)}`,
    pulledAt === null ? '' : `pulled ${since(pulledAt)} ago`,
    failure ?? '',
  ];
}

/** The name of a route. */
export function nameOf(prefix: string, registry: string | null | undefined): string {
  return `${registry ? `${registry}/` : ''}${prefix}` || 'everything else';
}
