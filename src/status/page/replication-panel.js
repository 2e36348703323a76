import { ago, bytes, cell, count, el, figure, pill, reason, routeName, row, table, time } from './elements.js';

/**
 * @typedef {import('../snapshot/replication-snapshot.ts').ReplicationSnapshot} ReplicationSnapshot
 * @typedef {import('../snapshot/replication-snapshot.ts').CopyRouteSnapshot} CopyRouteSnapshot
 * @typedef {import('../snapshot/replication-snapshot.ts').GapSnapshot} GapSnapshot
 * @typedef {import('../snapshot/replication-snapshot.ts').FailureSnapshot} FailureSnapshot
 */

const COLUMNS = ['Repositories', 'Could be pulled', '#Tags', '#Could not', '#Lag', '#Queued', '#Failing', 'Compared'];

/** How fallbacks are kept in step. @param {ReplicationSnapshot} replication @param {number} now epoch milliseconds */
export function replicationPanel(replication, now) {
  const { active, routes } = replication;
  if (!active) return el('div', 'panel', el('p', 'empty', `This edge does not copy: ${replication.reason}.`));
  const rows = routes.map((one) => routeRow(one, now));
  return el('div', 'panel', el('div', 'wide', table('', COLUMNS, rows)), ...routes.flatMap((one) => gapNote(one, now)));
}

/** What was copied since the start, as a sentence. @param {ReplicationSnapshot} replication */
export function copyCounts({ queue, copies, bytes: size, dropped }) {
  const left = dropped > 0 ? `, ${figure(dropped)} left to the next comparison` : '';
  const copied = `${figure(copies.copied)} (${bytes(size)}), ${figure(copies.same)} were there already`;
  return `Copied since the start: ${copied}; ${queue.running} under way, ${figure(queue.waiting)} waiting${left}.`;
}

/** @param {CopyRouteSnapshot} one @param {number} now */
function routeRow(one, now) {
  const { ratio, tags, missing, stale } = one.coverage;
  const name = routeName(one);
  const way = el('div', 'faint', `${one.source} \u2192 ${one.target}`);
  const lagging = ago(new Date(now - one.lagSeconds * 1000).toISOString(), now);
  return row(
    cell('', name ? el('code', '', name) : 'everything else', way),
    cell('tight', pill(percent(ratio), ratio === null ? 'quiet' : ratio === 1 ? 'well' : 'degraded')),
    cell('number', figure(tags)),
    cell('number', figure(missing + stale)),
    cell('number', one.lagSeconds === 0 ? '\u2013' : lagging),
    cell('number', figure(one.queued)),
    cell('number', figure(one.failing)),
    compared(one, now),
  );
}

/** @param {number | null} ratio */
function percent(ratio) {
  return ratio === null ? '\u2013' : `${Math.floor(ratio * 1000) / 10} %`;
}

/** @param {CopyRouteSnapshot} one @param {number} now */
function compared({ coverage: { comparedAt }, reconcile, reconciling }, now) {
  const never = reconciling ? 'under way' : 'not yet';
  const node = cell('', comparedAt ? `${ago(comparedAt, now)} ago` : never);
  if (reconcile?.failed) node.append(el('div', 'degraded', 'fails: '), reason(reconcile.failed));
  return node;
}

/** @param {CopyRouteSnapshot} one @param {number} now */
function gapNote(one, now) {
  const items = [
    ...one.gaps.slice(0, 5).map((gap) => gapItem(gap, now)),
    ...one.failures.slice(0, 5).map((failure) => failureItem(failure, now)),
  ];
  if (items.length === 0) return [];
  const text = `Not on ${one.target} as it is on ${one.source}; breakwater coverage tells all.`;
  return [el('div', 'note', el('p', '', text), el('ul', 'rotten', ...items))];
}

/** @param {GapSnapshot} gap @param {number} now */
function gapItem({ repository, missing, stale, tags, since }, now) {
  const more = missing + stale - tags.length;
  const text = `${repository}: ${tags.join(', ')}${more > 0 ? ` and ${figure(more)} more` : ''}`;
  return el(
    'li',
    '',
    el('code', '', text),
    ' ',
    since ? el('span', 'faint', 'for ', time(since, ago(since, now))) : '',
  );
}

/** @param {FailureSnapshot} failure @param {number} now */
function failureItem({ repository, reference, tries, since, reason: why }, now) {
  const name = reference.includes(':') ? `@${reference.slice(0, 19)}` : `:${reference}`;
  const tried = el('span', 'faint', `tried ${count(tries, 'time')} in ${ago(since, now)}`);
  return el('li', '', el('code', '', repository + name), ' ', tried, reason(why));
}
