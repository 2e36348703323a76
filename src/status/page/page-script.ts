/**
 * The script of the status page. It makes elements and sets their text, and never parses markup: names of repositories and reasons
 * come from clients and upstreams. Not TypeScript, since a browser runs it as it stands.
 */
export const PAGE_SCRIPT = `
'use strict';
(() => {
  const REFRESH_MS = 2000;
  const byId = (id) => document.getElementById(id);
  const level = { up: 'well', good: 'well', closed: 'well', unknown: 'quiet', none: 'quiet', 'half-open': 'degraded', down: 'failing', failing: 'failing', open: 'failing' };
  const icons = { well: '%2312784a', degraded: '%23e09a1a', failing: '%23d0342c' };

  const el = (tag, className, ...children) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    node.append(...children);
    return node;
  };
  const pill = (text, kind) => el('span', 'pill ' + (kind || 'quiet'), text);
  const ago = (iso, now) => {
    const seconds = Math.max(0, Math.round((now - Date.parse(iso)) / 1000));
    if (seconds < 90) return seconds + ' s';
    if (seconds < 5400) return Math.round(seconds / 60) + ' min';
    if (seconds < 129600) return Math.round(seconds / 3600) + ' h';
    return Math.round(seconds / 86400) + ' d';
  };
  const time = (iso, text) => {
    const node = el('time', '', text);
    node.dateTime = iso;
    node.title = iso;
    return node;
  };
  const row = (...cells) => {
    const node = el('tr');
    node.append(...cells);
    return node;
  };
  const cell = (className, ...children) => el('td', className, ...children);
  const heads = (...names) => {
    const tr = el('tr');
    for (const name of names) {
      const th = el('th', name.startsWith('#') ? 'number' : '', name.replace('#', ''));
      th.scope = 'col';
      tr.append(th);
    }
    return el('thead', '', tr);
  };

  const count = (number, name, names) => number.toLocaleString('en') + ' ' + (number === 1 ? name : names || name + 's');
  const ms = (value) => (value === null ? '\\u2013' : String(Math.round(value)));
  const bytes = (number) => (number < 1e6 ? (number / 1e3).toFixed(0) + ' kB' : (number / 1e6).toFixed(1) + ' MB');

  const queue = ({ data, control }) => (data + control === 0 ? [] : [el('div', 'degraded', count(data + control, 'waits', 'wait'))]);
  const words = (text) => {
    const node = el('div', 'reason', text.replace(/(sha\\d+:[0-9a-f]{12})[0-9a-f]+/g, '$1\\u2026'));
    node.title = text;
    return node;
  };

  const rotten = ({ count: all, copies }, now) => {
    if (all === 0) return [];
    const list = el('ul', 'rotten');
    for (const { digest, since } of copies.slice(0, 5)) list.append(el('li', '', el('code', '', digest), ' ', el('span', 'faint', 'found ', time(since, ago(since, now) + ' ago'))));
    if (all > 5) list.append(el('li', 'faint', 'and ' + (all - 5).toLocaleString('en') + ' more'));
    return [el('div', 'note', el('p', '', 'Blobs with wrong bytes here. They are asked for elsewhere; docs/splicing.md says how to mend them.'), list)];
  };

  const upstream = (one, now) => {
    const head = el('div', 'head', el('span', 'name', one.name), pill(one.state, level[one.state]), el('span', 'faint', 'for ', time(one.since, ago(one.since, now))));
    if (one.pushes) {
      const mode = one.pushes.mode === 'accepting' ? 'pushes admitted' : one.pushes.mode === 'settling' ? 'pushes soon' : 'pushes refused for ' + ago(one.pushes.since, now);
      head.append(pill(mode, one.pushes.admitted ? 'well' : 'degraded'));
    }
    if (one.readOnly) head.append(pill('read-only', 'degraded'));
    for (const component of one.unhealthy) head.append(pill(component + ' unhealthy', 'degraded'));
    if (one.credentials && one.credentials.state === 'refused') {
      const refused = pill('credentials refused for ' + ago(one.credentials.since, now), 'failing');
      refused.title = one.credentials.reason;
      head.append(refused);
    }
    if (one.rotten.count > 0) head.append(pill(count(one.rotten.count, 'rotten copy', 'rotten copies'), 'degraded'));
    head.append(pill(one.kind));
    if (one.outrun > 0) {
      const outrun = el('span', 'faint', 'outrun ' + count(one.outrun, 'time'));
      outrun.title = 'requests given up here because an upstream that was asked later answered first';
      head.append(outrun);
    }
    if (one.reason && one.urls.length === 1) head.append(el('span', 'reason', one.reason));
    const body = el('tbody');
    for (const url of one.urls) {
      const breakers = el('div', 'breakers');
      for (const [name, state] of Object.entries(url.breakers)) breakers.append(el('span', level[state], state === 'closed' ? name : name + ' ' + state));
      const state = cell('tight', pill(url.state, level[url.state]), ' ', el('span', 'faint', time(url.since, ago(url.since, now))));
      const where = cell('', el('code', '', url.url));
      if (one.urls.length > 1 && url.reason) where.append(el('div', 'reason', url.reason));
      if (url.suspected) where.append(el('div', 'degraded', url.slow ? 'its answers are late' : 'a request to it has just failed'));
      if (url.restingUntil) where.append(el('div', 'reason', 'asked to be left alone until ' + url.restingUntil));
      body.append(row(where, state, cell('tight', pill(url.canary === 'none' ? 'no canary' : url.canary, level[url.canary])), cell('', breakers),
        cell('number', url.inFlight.data + ' / ' + url.inFlight.control, ...queue(url.waiting)), cell('number', ms(url.firstByteP95Ms.data) + ' / ' + ms(url.firstByteP95Ms.control) + ' ms'), cell('number', url.probeMs === null ? '\\u2013' : url.probeMs + ' ms')));
    }
    const table = el('table', 'urls', heads('URL', 'State', 'Canary', 'Breakers', '#Blobs / other', '#First byte p95', '#Probe'), body);
    return el('div', 'panel', head, el('div', 'wide', table), ...rotten(one.rotten, now));
  };

  const route = (one, states) => {
    const order = el('ol', 'order');
    for (const entry of one.pull) {
      const item = el('li', '', el('span', level[states.get(entry.upstream)] || '', entry.upstream));
      if (entry.prefix !== one.prefix) item.append(' ', el('code', 'faint', entry.prefix || '(no prefix)'));
      if (entry.replicate) item.append(' ', pill('replicated'));
      order.append(item);
    }
    const name = (one.registry ? one.registry + '/' : '') + one.prefix;
    return row(cell('', name ? el('code', '', name) : el('span', '', 'everything else')), cell('', order), cell('tight', one.push || el('span', 'faint', 'read-only')),
      cell('tight', one.onAbsent === 'next' ? 'ask the next' : '404'));
  };

  const failovers = (list, now) => {
    if (list.length === 0) return el('div', 'panel', el('p', 'empty', 'None since this edge started.'));
    const body = el('tbody');
    for (const one of list) {
      const why = cell('', one.reason === 'avoided' ? one.from + ' was not asked' : one.reason);
      if (one.detail) why.append(el('div', 'reason', one.detail));
      body.append(row(cell('tight', time(one.at, ago(one.at, now) + ' ago')), cell('', el('code', '', one.repository || '\\u2013')), cell('tight', one.from + ' \\u2192 ' + one.to), why, cell('number', '\\u00d7' + one.count)));
    }
    return el('div', 'scroll', el('table', '', heads('Last', 'Repository', 'From \\u2192 to', 'Why', '#Times'), body));
  };

  const tagWarnings = (list, now) => {
    const body = el('tbody');
    for (const one of list) body.append(row(cell('tight', time(one.at, ago(one.at, now) + ' ago')), cell('tight', el('code', '', one.repository + ':' + one.tag)), cell('', words(one.text)), cell('number', '\\u00d7' + one.count)));
    return el('div', 'scroll', el('table', '', heads('Last', 'Tag', 'What clients were told', '#Times'), body));
  };

  const peerLevel = { 'in-step': 'well', behind: 'degraded', unreachable: 'degraded', stranger: 'failing' };
  const peers = (list, now) => {
    const body = el('tbody');
    for (const one of list) body.append(row(cell('', el('code', '', one.url)), cell('tight', one.address || '\\u2013'), cell('tight', pill(one.state.replace('-', ' '), peerLevel[one.state]), ' ', el('span', 'faint', time(one.since, ago(one.since, now)))),
      cell('', words(one.reason)), cell('tight', one.heardAt ? ago(one.heardAt, now) + ' ago' : '\\u2013'), cell('number', one.entries.toLocaleString('en'))));
    return el('div', 'scroll', el('table', '', heads('Edge', 'Address', 'State', 'Why', 'Heard', '#Told'), body));
  };

  const percent = (ratio) => (ratio === null ? '\\u2013' : Math.floor(ratio * 1000) / 10 + ' %');
  const lag = (seconds, now) => (seconds === 0 ? '\\u2013' : ago(new Date(now - seconds * 1000).toISOString(), now));
  const compared = ({ coverage, reconcile, reconciling }, now) => {
    const node = cell('', coverage.comparedAt ? ago(coverage.comparedAt, now) + ' ago' : reconciling ? 'under way' : 'not yet');
    if (reconcile && reconcile.failed) node.append(el('div', 'degraded', 'fails: '), words(reconcile.failed));
    return node;
  };
  const copyRoute = (one, now) => {
    const { ratio, tags, missing, stale } = one.coverage;
    const kind = ratio === null ? 'quiet' : ratio === 1 ? 'well' : 'degraded';
    const name = (one.registry ? one.registry + '/' : '') + one.prefix;
    const where = cell('', name ? el('code', '', name) : 'everything else', el('div', 'faint', one.source + ' \\u2192 ' + one.target));
    return row(where, cell('tight', pill(percent(ratio), kind)), cell('number', tags.toLocaleString('en')), cell('number', (missing + stale).toLocaleString('en')),
      cell('number', lag(one.lagSeconds, now)), cell('number', one.queued.toLocaleString('en')), cell('number', one.failing.toLocaleString('en')), compared(one, now));
  };
  const gapText = ({ repository, missing, stale, tags }) => {
    const rest = missing + stale - tags.length;
    return repository + ': ' + tags.join(', ') + (rest > 0 ? ' and ' + rest.toLocaleString('en') + ' more' : '');
  };
  const copyNote = (one, now) => {
    const list = el('ul', 'rotten');
    for (const gap of one.gaps.slice(0, 5)) list.append(el('li', '', el('code', '', gapText(gap)), ' ', gap.since ? el('span', 'faint', 'for ', time(gap.since, ago(gap.since, now))) : ''));
    for (const failure of one.failures.slice(0, 5)) {
      const digest = failure.reference.includes(':');
      list.append(el('li', '', el('code', '', failure.repository + (digest ? '@' + failure.reference.slice(0, 19) : ':' + failure.reference)), ' ', el('span', 'faint', 'tried ' + count(failure.tries, 'time') + ' in ' + ago(failure.since, now)), words(failure.reason)));
    }
    if (list.childElementCount === 0) return [];
    return [el('div', 'note', el('p', '', 'Not on ' + one.target + ' as it is on ' + one.source + '; breakwater coverage tells all.'), list)];
  };
  const copyRoutes = ({ active, reason, routes }, now) => {
    if (!active) return el('div', 'panel', el('p', 'empty', 'This edge does not copy: ' + reason + '.'));
    const body = el('tbody');
    for (const one of routes) body.append(copyRoute(one, now));
    const table = el('table', '', heads('Repositories', 'Could be pulled', '#Tags', '#Could not', '#Lag', '#Queued', '#Failing', 'Compared'), body);
    return el('div', 'panel', el('div', 'wide', table), ...routes.flatMap((one) => copyNote(one, now)));
  };
  const copying = ({ queue, copies, bytes: size, dropped }) =>
    'Copied since the start: ' + copies.copied.toLocaleString('en') + ' (' + bytes(size) + '), ' + copies.same.toLocaleString('en') + ' were there already; ' + queue.running + ' under way, ' + queue.waiting.toLocaleString('en') + ' waiting' + (dropped > 0 ? ', ' + dropped.toLocaleString('en') + ' left to the next comparison' : '') + '.';

  const fact = (number, name, rest, kind) => {
    const told = Object.entries(rest).filter(([, value]) => value > 0).map(([what, value]) => value.toLocaleString('en') + ' ' + what);
    return el('div', 'fact', el('span', 'amount ' + (kind || ''), number.toLocaleString('en')), el('span', '', name), el('span', 'faint', told.join(', ')));
  };
  const sinceStart = ({ hedges, splices, verified, tags }) => [
    fact(hedges.started, 'asked twice because late', { won: hedges.won, 'over budget': hedges.refused }),
    fact(splices.done, 'bodies went on elsewhere', { 'in vain': splices.failed }, splices.failed > 0 ? 'degraded' : ''),
    fact(verified.right + verified.wrong, 'blobs hashed', { wrong: verified.wrong }, verified.wrong > 0 ? 'degraded' : ''),
    fact(tags.warned, 'tags served with a warning', { 'put right': tags.replaced, refused: tags.refused }, tags.warned > 0 ? 'degraded' : ''),
  ];
  const stores = ({ ledger, manifests, buffers }) =>
    'In memory: ' + count(ledger.tags, 'tag') + ' in the ledger' + (ledger.evicted > 0 ? ' (' + ledger.evicted.toLocaleString('en') + ' had to go)' : '') + ', ' + count(manifests.kept, 'manifest') + ' (' + bytes(manifests.bytes) + '), ' + bytes(buffers.inUse) + ' of buffers in use.';

  const headline = (kind, lines) => {
    const box = byId('headline');
    box.className = kind;
    // Screen readers read it out when it changes, so it is left alone when it does not.
    const shown = Array.from(box.children, (line) => line.textContent);
    if (shown.join('\\n') !== lines.join('\\n')) box.replaceChildren(...lines.map((line) => el('p', '', line)));
  };

  const draw = (snapshot) => {
    const now = Date.parse(snapshot.at);
    const states = new Map(snapshot.upstreams.map((one) => [one.name, one.state]));
    byId('edge').textContent = 'Breakwater ' + snapshot.version + ', running for ' + ago(snapshot.startedAt, now);
    headline(snapshot.headline.level, snapshot.headline.lines);
    byId('icon').href = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='" + icons[snapshot.headline.level] + "'/></svg>";
    byId('upstreams').replaceChildren(...snapshot.upstreams.map((one) => upstream(one, now)));
    byId('routes').replaceChildren(...snapshot.routes.map((one) => route(one, states)));
    byId('replication').hidden = snapshot.replication === null;
    if (snapshot.replication) {
      byId('copy-routes').replaceChildren(copyRoutes(snapshot.replication, now));
      byId('copying').textContent = snapshot.replication.active ? copying(snapshot.replication) : '';
    }
    byId('tags').hidden = snapshot.tagWarnings.length === 0;
    byId('tag-list').replaceChildren(tagWarnings(snapshot.tagWarnings, now));
    byId('peers').hidden = snapshot.peers.length === 0;
    byId('peer-list').replaceChildren(peers(snapshot.peers, now));
    byId('failovers').replaceChildren(failovers(snapshot.failovers, now));
    byId('figures').replaceChildren(...sinceStart(snapshot.sinceStart));
    byId('stores').textContent = stores(snapshot.stores);
    byId('fresh').textContent = 'as of ' + snapshot.at.slice(11, 19) + ' UTC';
  };

  const lost = (error) => {
    headline('failing', ['This page has lost the edge (' + error.message + ').', 'What follows is old.']);
  };

  const refresh = async () => {
    try {
      const response = await fetch('/api/status', { signal: AbortSignal.timeout(REFRESH_MS * 2) });
      if (!response.ok) throw new Error('status ' + response.status);
      draw(await response.json());
    } catch (error) {
      lost(error);
    }
    setTimeout(refresh, REFRESH_MS);
  };

  draw(JSON.parse(byId('snapshot').textContent));
  setTimeout(refresh, REFRESH_MS);
})();
`;
