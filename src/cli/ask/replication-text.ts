import { imageName } from '../../oci/reference.ts';
import type { CopyRouteView, ReplicationView } from '../../replication/replication-view.ts';
import { ago, bytesText, countText, table, withShortDigests } from '../text-format.ts';
import { nameOf, percentText } from './coverage-text.ts';
import { waitingLines } from './waiting-lines.ts';

/** Most lines of a list. `--json` has all of them. */
const MAX_LINES = 5;

/** Coverage and copies of each replicated route. @param now epoch milliseconds */
export function replicationLines(replication: ReplicationView | null, now: number): string[] {
  if (!replication) return [];
  const { active, reason, routes, queue, copies, bytes } = replication;
  if (!active) return [`replication: this edge does not copy (${reason})`];
  const since = (iso: string) => ago(now - Date.parse(iso));
  const { waiting, running } = queue;
  const sums = `${countText(copies.copied, 'image')} copied (${bytesText(bytes)}), ${running} running, ${waiting.toLocaleString('en')} queued`;
  return [
    `replication: ${sums}`,
    table(routes.map((route) => routeRow(route, since))),
    ...routes.flatMap((route) => [
      ...failureLines(route, since, now),
      ...waitingLines(route, route.waiting, MAX_LINES),
    ]),
  ];
}

type Since = (iso: string) => string;

function routeRow(
  { prefix, registry, source, target, coverage, lagSeconds, reconcile }: CopyRouteView,
  since: Since,
): string[] {
  const { ratio, tags, missing, stale, unknown, unknownSeconds, comparedAt } = coverage;
  const open = missing + stale;
  const copying =
    unknown === 0 ? '' : `being copied: ${unknown.toLocaleString('en')}, oldest ${ago((unknownSeconds ?? 0) * 1000)}`;
  const compared = comparedAt === null ? 'not compared yet' : `compared ${since(comparedAt)} ago`;
  const failed = reconcile?.failed == null ? '' : `; the last comparison failed: ${reconcile.failed}`;
  return [
    '',
    nameOf(prefix, registry),
    `${source} -> ${target}`,
    ratio === null ? '-' : `${percentText(ratio)} of ${countText(tags, 'tag')}`,
    open === 0 ? copying : `${open.toLocaleString('en')} missing or stale for ${ago(lagSeconds * 1000)}`,
    compared + failed,
  ];
}

function failureLines({ target, failing, failures, allFailSince }: CopyRouteView, since: Since, now: number): string[] {
  if (failing === 0) return [];
  const rows = failures.slice(0, MAX_LINES).map(({ repository, reference, since: from, tries, nextTry, reason }) => {
    const name = withShortDigests(imageName(repository, reference));
    return [
      '  ',
      `for ${since(from)}`,
      name,
      `${countText(tries, 'try', 'tries')}, ${nextTryText(nextTry, now)}`,
      reason,
    ];
  });
  const more = failing > rows.length ? [`    and ${(failing - rows.length).toLocaleString('en')} more`] : [];
  const all =
    allFailSince === null
      ? []
      : [`  all copies to ${target} fail for ${since(allFailSince)}; one is tried every 2 s, and each push once`];
  return [...all, `  cannot be copied to ${target}:`, table(rows), ...more];
}

function nextTryText(nextTry: string | null, now: number): string {
  if (nextTry === null) return 'next at a comparison';
  const ms = Date.parse(nextTry) - now;
  return ms > 0 ? `next in ${ago(ms)}` : 'next now';
}
