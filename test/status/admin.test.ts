import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { OciError } from '../../src/oci/error.ts';
import { type AdminParts, adminAnswer, type Phase } from '../../src/status/admin.ts';
import { Metrics } from '../../src/status/metrics/metrics.ts';
import { CLIENTS, down, pullRecord, snapshotOf, upstream } from './snapshot/views.ts';

const PAGE = join(import.meta.dirname, '../../src/status/page');

/** What a GET of a path is answered with. */
async function start(over: Partial<AdminParts> = {}) {
  const snapshot = () => snapshotOf({ upstreams: [down('harbor'), down('gcr')] });
  const metrics = new Metrics({ snapshot, certificates: () => [], clients: () => CLIENTS, droppedLogLines: () => 0 });
  metrics.record(pullRecord());
  const parts: AdminParts = {
    phase: () => 'serving',
    vipObstacle: () => undefined,
    snapshot,
    metrics,
    explain: (image) => ({ image }),
    explainNow: async (image, user) => ({ image, user }),
    explainRequest: (id) => ({ id }),
    accept: async (what) => ({ accepted: what }),
    orderCertificate: () => ({ by: 'this-edge' }),
    coverage: () => ({}),
    ...over,
  };
  return async (target: string, { method = 'GET', session = false } = {}) => {
    const [path = '', query = ''] = target.split('?');
    const request = { method, path, query: new URLSearchParams(query), session };
    const { status, headers, body } = await adminAnswer(parts, request);
    return new Response(body, { status, headers });
  };
}

t.test('is alive always, and ready by its own state only', async (t) => {
  let phase: Phase = 'starting';
  const get = await start({ phase: () => phase });
  const ready = async () => {
    const response = await get('/readyz');
    return [response.status, await response.json()];
  };
  t.same(await ready(), [503, { ready: false, reason: 'not started yet' }]);
  t.equal((await get('/healthz')).status, 200);
  phase = 'serving';
  t.same(await ready(), [200, { ready: true }], 'although every upstream is down');
  phase = 'draining';
  t.same(await ready(), [503, { ready: false, reason: 'draining' }]);
  t.equal((await get('/healthz')).status, 200);
});

t.test('/vipz says whether the node may hold the VIP', async (t) => {
  let obstacle: string | undefined;
  const get = await start({ vipObstacle: () => obstacle });
  const vip = async () => {
    const response = await get('/vipz');
    return [response.status, await response.text()];
  };
  t.same(await vip(), [200, 'may hold the VIP\n']);
  obstacle = 'this edge is stopping';
  t.same(await vip(), [503, 'must not hold the VIP: this edge is stopping\n']);
});

t.test('serves metrics and status', async (t) => {
  const get = await start();
  const metrics = await get('/metrics');
  t.match(metrics.headers.get('content-type'), /^text\/plain; version=/);
  t.match(await metrics.text(), /^breakwater_requests_total\{route="library\/"/m);
  const status = await get('/api/status');
  t.match(await status.json(), { hostname: 'cr.example.io', upstreams: [{ name: 'harbor' }, { name: 'gcr' }] });
});

t.test('explains an image, or says why not', async (t) => {
  const get = await start({
    explain: (image) => {
      if (image === 'stray/app') throw new OciError('NAME_UNKNOWN', 'no route leads to stray/app');
      return { repository: image };
    },
  });
  t.same(await (await get('/api/explain?image=library%2Fapp')).json(), { repository: 'library/app' });
  const stray = await get('/api/explain?image=stray/app');
  t.equal(stray.status, 404);
  t.match(await stray.json(), { errors: [{ code: 'NAME_UNKNOWN', message: 'no route leads to stray/app' }] });
  t.equal((await get('/api/explain')).status, 400);
  t.same(await (await get('/api/explain?request=abc')).json(), { id: 'abc' }, 'or a request');
  const asked = await get('/api/explain?image=library%2Fapp&ask=1&user=ann');
  t.same(await asked.json(), { image: 'library/app', user: 'ann' }, 'it asks only where it is told to');
});

t.test('answers 404 and 405 as JSON', async (t) => {
  const get = await start();
  for (const path of [
    '/nothing',
    '/__proto__',
    '/constructor',
    '/metrics/',
    '//',
    '//metrics',
    '/healthz/../metrics',
    '/%6detrics',
    '/METRICS',
    '/api',
  ]) {
    const response = await get(path);
    t.equal(response.status, 404, path);
    t.match(await response.json(), { errors: [{ code: 'UNSUPPORTED' }] });
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const response = await get('/api/status', { method });
    t.equal(response.status, 405, method);
    t.equal(response.headers.get('allow'), 'GET, HEAD');
  }
  t.equal((await get('/', { method: 'HEAD' })).status, 200);
});

t.test('answers 500 when the state cannot be read', async (t) => {
  const get = await start({
    snapshot: () => {
      throw new Error('a bug');
    },
  });
  const response = await get('/api/status');
  t.equal(response.status, 500);
  t.match(await response.json(), { errors: [{ code: 'UNKNOWN', message: /a bug/ }] });
});

t.test('shows a page that loads only its own files and escapes everything', async (t) => {
  const evil = '</script><img src=x onerror=alert(1)>';
  const get = await start({
    snapshot: () => snapshotOf({ hostname: `<b>"cr"`, upstreams: [down('harbor', { reason: evil }), upstream('gcr')] }),
  });
  const response = await get('/');
  const html = await response.text();
  const policy = response.headers.get('content-security-policy') ?? '';
  t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
  t.notMatch(policy, /unsafe|nonce/);
  t.notMatch(html, evil);
  t.notMatch(html, '<img');
  t.match(html, 'harbor has been down since 03:12 UTC (&#60;/script&#62;&#60;img src=x onerror=alert(1)&#62;)');
  t.match(html, '<h1>&#60;b&#62;&#34;cr&#34;</h1>');
  t.notMatch(html, /\b(src|href)=["']?(https?:)?\/\//, 'no outside resource');
  t.notMatch(html, /\son\w+=["']|\sstyle=|<style/, 'no inline handler and no inline style');
  const island = /<script type="application\/json"[^>]*>(.*?)<\/script>/s.exec(html)?.[1] ?? '';
  t.equal(JSON.parse(island).upstreams[0].reason, evil, 'the data is whole');
  t.same(
    [...html.matchAll(/<script(?! type="application\/json")[^>]*>(.*?)<\/script>/gs)].map(([all]) => all),
    ['<script type="module" src="/page.js"></script>'],
    'no script stands in the page itself',
  );
});

t.test('serves the files that the page loads, and no others', async (t) => {
  const get = await start();
  const pending = ['/page.css', '/page.js'];
  const seen = new Set<string>();
  for (let path = pending.shift(); path !== undefined; path = pending.shift()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const response = await get(path);
    t.equal(response.status, 200, path);
    t.equal(
      response.headers.get('content-type'),
      `text/${path.endsWith('.css') ? 'css' : 'javascript'}; charset=utf-8`,
    );
    const text = await response.text();
    t.equal(text, await readFile(join(PAGE, path), 'utf8'));
    for (const [, name = ''] of text.matchAll(/from '\.(\/[^']+)'/g)) pending.push(name);
  }
  const files = (await readdir(PAGE)).filter((name) => /\.(js|css)$/.test(name));
  t.same([...seen].sort(), files.map((name) => `/${name}`).sort(), 'each file of the folder is loaded by the page');
  for (const path of ['/page.ts', '/page-files.ts', '/tsconfig.json', '/page.js.map'])
    t.equal((await get(path)).status, 404, path);
});

t.test('the page can log out whoever has logged in', async (t) => {
  const get = await start();
  t.match(await (await get('/', { session: true })).text(), /<form method="post" action="\/logout"><button/);
  t.notMatch(await (await get('/')).text(), /logout/);
});

t.test('accepts by POST only, and by name', async (t) => {
  const ask = await start();
  const accepted = await ask('/api/accept?what=harbor', { method: 'POST' });
  t.same([accepted.status, await accepted.json()], [200, { accepted: 'harbor' }]);
  const read = await ask('/api/accept?what=harbor');
  t.same([read.status, read.headers.get('allow')], [405, 'POST']);
  for (const query of ['', '?what='])
    t.equal((await ask(`/api/accept${query}`, { method: 'POST' })).status, 400, query);
  t.equal((await ask('/api/status', { method: 'POST' })).headers.get('allow'), 'GET, HEAD');
});
