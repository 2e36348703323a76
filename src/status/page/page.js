import {
  ago,
  byId,
  bytes,
  cell,
  count,
  el,
  figure,
  LEVELS,
  pill,
  reason,
  routeName,
  row,
  table,
  time,
} from './elements.js';
import { copyCounts, replicationPanel } from './replication-panel.js';
import { upstreamPanel } from './upstream-panel.js';

/**
 * Draws the status page from the snapshot in the page, and then from a new one every two seconds.
 * @typedef {import('../snapshot/snapshot.ts').Snapshot} Snapshot
 * @typedef {import('./elements.js').Level} Level
 */

const REFRESH_MS = 2000;
const ROUTE_COLUMNS = ['Repositories', 'Pulls try, in this order', 'Pushes go to', 'If not found'];
/** Colours of the icon by the headline's level. @type {Record<string, string>} */
const ICONS = { well: '%2312784a', degraded: '%23e09a1a', failing: '%23d0342c' };
/** @type {Record<string, Level>} */
const PEER_LEVELS = { 'in-step': 'well', behind: 'degraded', unreachable: 'degraded', stranger: 'failing' };
/** @type {Record<string, string>} */
const PEER_STATES = { 'in-step': 'in sync', stranger: 'rejects this edge' };
/** Reasons of failovers that are no words of the field; the others are shown as they are. @type {Record<string, string>} */
const REASONS = {
  avoided: 'unhealthy, so not tried',
  canary: 'canary failed',
  'content-lost': 'has lost content',
  'content-unclear': 'may have lost content',
  late: 'slow, another upstream answered first',
  slower: 'slow, another upstream answered first',
  absent: 'not found',
  'first-byte': 'first byte timed out',
  'out-of-time': 'timed out',
  saturated: 'queue full',
  descriptors: 'no file descriptors left',
  'authority-dead': 'database down',
};

/** @param {Snapshot['routes'][number]} one @param {Map<string, string>} states of upstreams by name */
function routeRow(one, states) {
  const order = one.pull.map(({ upstream, prefix, replicate }) => {
    const item = el('li', '', el('span', LEVELS[states.get(upstream) ?? ''] ?? '', upstream));
    if (prefix !== one.prefix) item.append(' ', el('code', 'faint', prefix || '(no prefix)'));
    if (replicate) item.append(' ', pill('replicated'));
    return item;
  });
  const name = routeName(one);
  return row(
    cell('', name ? el('code', '', name) : el('span', '', 'everything else')),
    cell('', el('ol', '', ...order)),
    cell('tight', one.push || el('span', 'faint', 'read-only')),
    cell('tight', one.onAbsent === 'next' ? 'try the next upstream' : 'reply 404'),
  );
}

/** @param {Snapshot['failovers']} list @param {number} now */
function failovers(list, now) {
  if (list.length === 0) return el('div', 'panel', el('p', 'empty', 'No failover since this edge started.'));
  const rows = list.map((one) => {
    const why = cell('', REASONS[one.reason] ?? one.reason);
    if (one.detail) why.append(el('div', 'reason', one.detail));
    return row(
      cell('tight', time(one.at, `${ago(one.at, now)} ago`)),
      cell('', el('code', '', one.repository || '\u2013')),
      cell('tight', `${one.from} \u2192 ${one.to}`),
      why,
      cell('number', `\u00d7${one.count}`),
    );
  });
  return table('panel wide', ['Last', 'Repository', 'From \u2192 to', 'Reason', '#Count'], rows);
}

/** @param {Snapshot['tagWarnings']} list @param {number} now */
function tagWarnings(list, now) {
  const rows = list.map(({ at, repository, tag, text, count: times }) =>
    row(
      cell('tight', time(at, `${ago(at, now)} ago`)),
      cell('tight', el('code', '', `${repository}:${tag}`)),
      cell('', reason(text)),
      cell('number', `\u00d7${times}`),
    ),
  );
  return table('panel wide', ['Last', 'Tag', 'Warning sent to clients', '#Count'], rows);
}

/** @param {Snapshot['peers']} list @param {number} now */
function peers(list, now) {
  const rows = list.map(({ url, address, state, since, reason: why, heardAt, entries, release }) => {
    const level = pill(PEER_STATES[state] ?? state, PEER_LEVELS[state]);
    return row(
      cell('', el('code', '', url), ' ', el('span', 'faint', release ?? '')),
      cell('tight', address || '\u2013'),
      cell('tight', level, ' ', el('span', 'faint', time(since, ago(since, now)))),
      cell('', reason(why)),
      cell('tight', heardAt ? `${ago(heardAt, now)} ago` : '\u2013'),
      cell('number', figure(entries)),
    );
  });
  return table('panel wide', ['Edge', 'Address', 'State', 'Reason', 'Last heard', '#Entries learnt'], rows);
}

/** @param {number} number @param {string} name @param {Record<string, number>} parts @param {boolean} [bad] */
function fact(number, name, parts, bad = false) {
  const shown = Object.entries(parts).filter(([, value]) => value > 0);
  return el(
    'div',
    'fact',
    el('p', bad ? 'amount degraded' : 'amount', figure(number)),
    el('p', '', name),
    el('p', 'faint', shown.map(([part, value]) => `${figure(value)} ${part}`).join(', ')),
  );
}

/** @param {Snapshot['sinceStart']} figures */
function facts({ hedges, splices, verified, tags }) {
  const others = { 'replaced by the current one': tags.replaced, refused: tags.refused };
  return [
    fact(hedges.started, 'hedged requests', { won: hedges.won, 'over budget': hedges.refused }),
    fact(splices.done, 'downloads resumed on another upstream', { broken: splices.failed }, splices.failed > 0),
    fact(verified.right + verified.wrong, 'blobs verified', { corrupt: verified.wrong }, verified.wrong > 0),
    fact(tags.warned, 'tags served with a warning', others, tags.warned > 0),
  ];
}

/** @param {Snapshot['stores']} stores */
function memory({ ledger, manifests, buffers }) {
  const evicted = ledger.evicted > 0 ? ` (${figure(ledger.evicted)} evicted)` : '';
  const kept = `${count(manifests.kept, 'manifest')} (${bytes(manifests.bytes)})`;
  return `In memory: ${count(ledger.tags, 'tag')} in the ledger${evicted}, ${kept}, ${bytes(buffers.inUse)} of buffers in use.`;
}

/** @param {string} level @param {string[]} lines */
function headline(level, lines) {
  const box = byId('headline');
  box.className = level;
  // A screen reader reads the headline out at each change, so equal lines are not set again.
  const shown = Array.from(box.children, (line) => line.textContent);
  if (shown.join('\n') !== lines.join('\n')) box.replaceChildren(...lines.map((line) => el('p', '', line)));
}

/** @param {string} level */
function icon(level) {
  const circle = `<circle cx='8' cy='8' r='7' fill='${ICONS[level]}'/>`;
  const image = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>${circle}</svg>`;
  byId('icon').setAttribute('href', `data:image/svg+xml,${image}`);
}

/** @param {Snapshot} snapshot */
function draw(snapshot) {
  const now = Date.parse(snapshot.at);
  const states = new Map(snapshot.upstreams.map((one) => [one.name, one.state]));
  const routeRows = snapshot.routes.map((one) => routeRow(one, states));
  byId('edge').textContent = `Breakwater ${snapshot.version}, running for ${ago(snapshot.startedAt, now)}`;
  headline(snapshot.headline.level, snapshot.headline.lines);
  icon(snapshot.headline.level);
  byId('upstreams').replaceChildren(...snapshot.upstreams.map((one) => upstreamPanel(one, now)));
  byId('routes').replaceChildren(table('panel wide', ROUTE_COLUMNS, routeRows));
  byId('replication').hidden = snapshot.replication === null;
  if (snapshot.replication) {
    byId('copy-routes').replaceChildren(replicationPanel(snapshot.replication, now));
    byId('copying').textContent = snapshot.replication.active ? copyCounts(snapshot.replication) : '';
  }
  byId('tags').hidden = snapshot.tagWarnings.length === 0;
  byId('tag-list').replaceChildren(tagWarnings(snapshot.tagWarnings, now));
  byId('peers').hidden = snapshot.peers.length === 0;
  byId('peer-list').replaceChildren(peers(snapshot.peers, now));
  byId('failovers').replaceChildren(failovers(snapshot.failovers, now));
  byId('figures').replaceChildren(...facts(snapshot.sinceStart));
  byId('stores').textContent = memory(snapshot.stores);
  byId('fresh').textContent = `as of ${snapshot.at.slice(11, 19)} UTC`;
}

async function refresh() {
  try {
    const response = await fetch('/api/status', { signal: AbortSignal.timeout(REFRESH_MS * 2) });
    // The session has ended. The reload shows the login form.
    if (response.status === 401) location.reload();
    if (!response.ok) throw new Error(`status ${response.status}`);
    draw(await response.json());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    headline('failing', [`This page cannot reach the edge (${why}).`, 'The data below is out of date.']);
  }
  setTimeout(refresh, REFRESH_MS);
}

draw(JSON.parse(byId('snapshot').textContent ?? ''));
setTimeout(refresh, REFRESH_MS);
