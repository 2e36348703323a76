import { ago, bytes, cell, count, el, figure, pill, reason, routeName, row, table, time } from './elements.js';

/**
 * @typedef {import('../../replication/replication-view.ts').ReplicationView} ReplicationView
 * @typedef {import('../../replication/replication-view.ts').CopyRouteView} CopyRouteView
 * @typedef {import('../../replication/replication-view.ts').GapView} GapView
 * @typedef {import('../../replication/replication-view.ts').FailureView} FailureView
 * @typedef {import('../../replication/coverage/report.ts').WaitingView} WaitingView
 */

const COLUMNS = [
  'Repositories',
  'Covered',
  '#Tags',
  '#Missing or stale',
  '#Lag',
  '#Queued',
  '#Failing',
  'Last comparison',
];

/** Coverage and copies of each replicated route. @param {ReplicationView} replication @param {number} now epoch milliseconds */
export function replicationPanel(replication, now) {
  const { active, routes } = replication;
  if (!active) return el('div', 'panel', el('p', 'empty', `This edge does not replicate: ${replication.reason}.`));
  const rows = routes.map((one) => routeRow(one, now));
  return el('div', 'panel', table('wide', COLUMNS, rows), ...routes.flatMap((one) => gapNote(one, now)));
}

/** The copies since the start, as a sentence. @param {ReplicationView} replication */
export function copyCounts({ queue, copies, bytes: size, dropped }) {
  const left = dropped > 0 ? `, ${figure(dropped)} dropped until the next comparison` : '';
  const copied = `${count(copies.copied, 'image')} copied (${bytes(size)}), ${figure(copies.same)} already there`;
  return `Since the edge started: ${copied}. Now: ${queue.running} running, ${figure(queue.waiting)} queued${left}.`;
}

/** @param {CopyRouteView} one @param {number} now */
function routeRow(one, now) {
  const { ratio, tags, missing, stale, unknown, unknownSeconds } = one.coverage;
  const name = routeName(one);
  const direction = el('div', 'faint', `${one.source} \u2192 ${one.target}`);
  const lag = ago(new Date(now - one.lagSeconds * 1000).toISOString(), now);
  return row(
    cell('', name ? el('code', '', name) : 'everything else', direction),
    cell('tight', pill(percent(ratio), ratio === null ? 'quiet' : ratio === 1 ? 'well' : 'degraded')),
    cell('number', figure(tags)),
    cell('number', figure(missing + stale), copying(unknown, unknownSeconds, now)),
    cell('number', one.lagSeconds === 0 ? '\u2013' : lag),
    cell('number', figure(one.queued)),
    cell('number', figure(one.failing)),
    compared(one, now),
  );
}

/** Tags that changed and are being copied. @param {number} unknown @param {number | null} seconds @param {number} now */
function copying(unknown, seconds, now) {
  const age = ago(new Date(now - (seconds ?? 0) * 1000).toISOString(), now);
  return unknown === 0 ? '' : el('div', 'faint', `being copied: ${figure(unknown)}, oldest ${age}`);
}

/** @param {number | null} ratio */
function percent(ratio) {
  return ratio === null ? '\u2013' : `${Math.floor(ratio * 1000) / 10} %`;
}

/** @param {CopyRouteView} one @param {number} now */
function compared({ coverage: { comparedAt }, reconcile, reconciling }, now) {
  const never = reconciling ? 'running' : 'not yet';
  const node = cell('', comparedAt ? `${ago(comparedAt, now)} ago` : never);
  if (reconcile?.failed) node.append(el('div', 'degraded', 'failing: '), reason(reconcile.failed));
  return node;
}

/** @param {CopyRouteView} one @param {number} now */
function gapNote(one, now) {
  const items = [
    ...one.gaps
      .filter(({ missing, stale }) => missing + stale > 0)
      .slice(0, 5)
      .map((gap) => gapItem(gap, now)),
    ...one.failures.slice(0, 5).map((failure) => failureItem(failure, now)),
    ...one.waitingTags.slice(0, 5).map((waiting) => waitingItem(waiting, one, now)),
  ];
  if (items.length === 0) return [];
  const all =
    one.allFailSince === null ? '' : ` All copies fail for ${ago(one.allFailSince, now)}: one is tried every 2 s.`;
  const text = `Missing or stale on ${one.target}.${all} Run "breakwater coverage" for the full list.`;
  return [el('div', 'note', el('p', '', text), el('ul', '', ...items))];
}

/** @param {GapView} gap @param {number} now */
function gapItem({ repository, missing, stale, unknown, tags, since }, now) {
  const more = missing + stale + unknown - tags.length;
  const text = `${repository}: ${tags.join(', ')}${more > 0 ? ` and ${figure(more)} more` : ''}`;
  return el(
    'li',
    '',
    el('code', '', text),
    ' ',
    since ? el('span', 'faint', 'for ', time(since, ago(since, now))) : '',
  );
}

/** @param {WaitingView} waiting @param {CopyRouteView} one @param {number} now */
function waitingItem({ repository, tag, since }, { source, target }, now) {
  const why = `may be newer on ${target} than on ${source}; it has waited for you for ${ago(since, now)}. Run "breakwater coverage".`;
  return el('li', '', el('code', '', `${repository}:${tag}`), ' ', el('span', 'degraded', why));
}

/** @param {FailureView} failure @param {number} now */
function failureItem({ repository, reference, tries, since, nextTry, reason: why }, now) {
  const name = reference.includes(':') ? `@${reference.slice(0, 19)}` : `:${reference}`;
  const next =
    nextTry === null ? 'next at a comparison' : `next in ${ago(new Date(now).toISOString(), Date.parse(nextTry))}`;
  const failed = el('span', 'faint', `copy failed ${count(tries, 'time')} in ${ago(since, now)}, ${next}`);
  return el('li', '', el('code', '', repository + name), ' ', failed, reason(why));
}
