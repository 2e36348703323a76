import { ago, cell, count, el, figure, LEVELS, pill, row, table, time } from './elements.js';

/**
 * @typedef {import('../snapshot/upstream-snapshot.ts').UpstreamSnapshot} UpstreamSnapshot
 * @typedef {import('../snapshot/upstream-snapshot.ts').UrlSnapshot} UrlSnapshot
 */

const COLUMNS = ['URL', 'State', 'Canary', 'Breakers', '#In flight: blobs / other', '#First byte p95', '#Probe'];

/** One upstream with its URLs. Pairs of figures are for blobs, and for all other requests. @param {UpstreamSnapshot} one @param {number} now epoch milliseconds */
export function upstreamPanel(one, now) {
  const urls = one.urls.map((url) => urlRow(url, one.urls.length > 1, now));
  return el('div', 'panel', head(one, now), table('wide urls', COLUMNS, urls), ...corruptCopies(one, now));
}

/** @param {UpstreamSnapshot} one @param {number} now */
function head(one, now) {
  const node = el('div', 'head', el('span', 'name', one.name), pill(one.state, LEVELS[one.state]));
  node.append(el('span', 'faint', 'for ', time(one.since, ago(one.since, now))));
  if (one.pushes) node.append(pushes(one.pushes, now));
  if (one.readOnly) node.append(pill('read-only', 'degraded'));
  for (const component of one.unhealthy) node.append(pill(`${component} unhealthy`, 'degraded'));
  if (one.credentials?.state === 'refused') {
    const refused = pill(`credentials refused for ${ago(one.credentials.since, now)}`, 'failing');
    refused.title = one.credentials.reason;
    node.append(refused);
  }
  if (one.lost) {
    const lost = pill(`lost content of the last ${ago(one.lost.since, now)}`, 'failing');
    lost.title = one.lost.images.join(', ');
    node.append(lost);
  }
  for (const { role, username, state, since, reason } of one.accounts) {
    if (role === 'own' || state !== 'refused' || since === undefined) continue;
    const refused = pill(`${role} credentials refused for ${ago(since, now)}`, 'failing');
    refused.title = `${username}: ${reason}`;
    node.append(refused);
  }
  if (one.corrupt.count > 0) node.append(pill(count(one.corrupt.count, 'corrupt copy', 'corrupt copies'), 'degraded'));
  node.append(pill(`kind: ${one.kind}`));
  if (one.outrun > 0) {
    const outrun = el('span', 'faint', `lost ${count(one.outrun, 'hedged request')}`);
    outrun.title = 'cancelled here because another upstream, asked later, answered first';
    node.append(outrun);
  }
  const [url, ...others] = one.urls;
  if (url?.reason && others.length === 0) node.append(el('span', 'reason', url.reason));
  return node;
}

/** @param {NonNullable<UpstreamSnapshot['pushes']>} pushes @param {number} now */
function pushes({ mode, admitted, since }, now) {
  const refused = mode === 'settling' ? 'pushes resume in seconds' : `pushes refused for ${ago(since, now)}`;
  return pill(mode === 'accepting' ? 'pushes accepted' : refused, admitted ? 'well' : 'degraded');
}

/** @param {UrlSnapshot} url @param {boolean} several the upstream has further URLs @param {number} now */
function urlRow(url, several, now) {
  const where = cell('', el('code', '', url.url));
  if (several && url.reason) where.append(el('div', 'reason', url.reason));
  if (url.proof.state === 'unproven') where.append(el('div', 'degraded', `no content seen yet: ${url.proof.reason}`));
  if (url.suspected)
    where.append(el('div', 'degraded', url.slow ? 'slow to answer' : 'requests failed since the last good probe'));
  if (url.restingUntil) {
    const seconds = Math.ceil((Date.parse(url.restingUntil) - now) / 1000);
    where.append(el('div', 'degraded', `rate-limited for ${seconds} s`));
  }
  const breakers = Object.entries(url.breakers).map(([name, state]) =>
    el('span', LEVELS[state] ?? '', state === 'closed' ? name : `${name} ${state}`),
  );
  const since = el('span', 'faint', time(url.since, ago(url.since, now)));
  return row(
    where,
    cell('tight', pill(url.state, LEVELS[url.state]), ' ', since),
    cell('tight', pill(url.canary === 'none' ? 'no canary' : url.canary, LEVELS[url.canary])),
    cell('', el('div', 'breakers', ...breakers)),
    pair(String(url.inFlight.data), String(url.inFlight.control), '', ...queued(url.waiting)),
    pair(ms(url.firstByteP95Ms.data), ms(url.firstByteP95Ms.control), ' ms'),
    cell('number', url.probeMs === null ? '\u2013' : `${url.probeMs} ms`),
  );
}

/** @param {string} blobs @param {string} others @param {string} unit @param {HTMLElement[]} more */
function pair(blobs, others, unit, ...more) {
  const node = cell('number', `${blobs} / ${others}${unit}`, ...more);
  node.title = 'blobs / all other requests';
  return node;
}

/** @param {UrlSnapshot['waiting']} waiting */
function queued({ data, control }) {
  return data + control === 0 ? [] : [el('div', 'degraded', `${figure(data + control)} queued`)];
}

/** @param {number | null} value */
function ms(value) {
  return value === null ? '\u2013' : String(Math.round(value));
}

/** @param {UpstreamSnapshot} one @param {number} now */
function corruptCopies({ corrupt: { count: all, copies } }, now) {
  if (all === 0) return [];
  const list = el('ul', '');
  for (const { digest, since } of copies.slice(0, 5)) {
    const found = el('span', 'faint', 'found ', time(since, `${ago(since, now)} ago`));
    list.append(el('li', '', el('code', '', digest), ' ', found));
  }
  if (all > 5) list.append(el('li', 'faint', `and ${figure(all - 5)} more`));
  const text =
    'Corrupt blobs on this upstream. Pulls use other upstreams for them. To repair them, see docs/splicing.md.';
  return [el('div', 'note', el('p', '', text), list)];
}
