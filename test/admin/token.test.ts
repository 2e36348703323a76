import t from 'tap';
import { TokenGuard } from '../../src/admin/token-guard.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { NetworkSet } from '../../src/config/network.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { METRICS_TOKEN, startAdminSite, TOKEN } from './admin-site.ts';

const GUARDED = ['/', '/metrics', '/api/status', '/api/events', '/page.js', '/page.css', '/nothing', '//healthz'];

t.test('without a token on loopback all can be read, and nothing changed', async (t) => {
  const site = await startAdminSite(t);
  for (const path of GUARDED) t.equal((await site.ask(path)).status, 200, path);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    const reply = await site.ask('/api/maintenance', { method });
    t.equal(reply.status, 403, method);
    t.match(
      reply.body,
      /need a token, and none is configured\. Add to the configuration: adminTokenFile: admin\.token/,
    );
  }
});

t.test('where others can reach it, nothing is shown without a token', async (t) => {
  const site = await startAdminSite(t, { loopback: false, address: '0.0.0.0:9443' });
  for (const path of GUARDED) {
    const reply = await site.ask(path);
    t.equal(reply.status, 403, path);
    t.match(
      JSON.parse(reply.body).errors[0].message,
      /\(0\.0\.0\.0:9443\).*Add to the configuration: adminTokenFile: admin\.token/,
    );
  }
  t.equal((await site.bearer('/', '')).status, 403);
  t.equal((await site.bearer('/', TOKEN)).status, 403);
  t.match((await site.ask('/', { headers: { accept: 'text/html' } })).body, /<h1>No token is configured<\/h1>/);
  for (const path of ['/healthz', '/readyz']) t.equal((await site.ask(path)).status, 200, path);
  site.access = { ...site.access, metricsToken: METRICS_TOKEN };
  t.equal((await site.bearer('/metrics', METRICS_TOKEN)).status, 200, 'which that of the metrics opens');
  t.equal((await site.bearer('/', METRICS_TOKEN)).status, 403);
  t.equal((await site.ask('/metrics')).status, 403);
  site.access = { ...site.access, token: TOKEN };
  t.equal((await site.bearer('/', TOKEN)).status, 200, 'a reload takes effect');
});

t.test('with a token everything but health asks for it', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  for (const path of GUARDED) {
    const reply = await site.ask(path);
    t.equal(reply.status, 401, path);
    t.match(reply.headers['www-authenticate'], /^Bearer /);
    t.match(
      JSON.parse(reply.body).errors[0].message,
      /asks for its token\. The token is in the file that adminTokenFile names/,
    );
    t.match(await site.bearer(path, TOKEN), { status: 200, body: `GET ${path}` });
  }
  for (const path of ['/healthz', '/readyz']) t.equal((await site.ask(path)).status, 200, path);
  t.match(await site.bearer('/api/maintenance', TOKEN, { method: 'POST' }), {
    status: 200,
    body: 'POST /api/maintenance',
  });
  for (const method of ['POST', 'OPTIONS', 'DELETE', 'HEAD'])
    t.equal((await site.ask('/api/maintenance', { method })).status, 401, method);
  t.same(site.wrong, [], 'a missing token is no wrong one');
});

t.test('how a token is shown', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  for (const [authorization, status] of [
    [`bearer   ${TOKEN} `, 200],
    [`BEARER ${TOKEN}`, 200],
    [TOKEN, 401],
    [`Basic ${Buffer.from(`admin:${TOKEN}`).toString('base64')}`, 401],
    [`Bearer${TOKEN}`, 401],
    [`Bearer ${TOKEN}x`, 401],
    [`Bearer ${TOKEN.slice(1)}`, 401],
    [`Bearer ${TOKEN.toUpperCase()}`, 401],
    ['Bearer undefined', 401],
  ] as const)
    t.equal((await site.ask('/', { headers: { authorization } })).status, status, authorization);
  t.equal((await site.ask(`/?token=${TOKEN}`)).status, 401, 'a URL ends up in logs');
});

t.test('the token of the metrics opens the metrics', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN, metricsToken: METRICS_TOKEN });
  t.equal((await site.bearer('/metrics', METRICS_TOKEN)).status, 200);
  t.equal((await site.bearer('/metrics?name=x', METRICS_TOKEN)).status, 200);
  t.equal((await site.bearer('/metrics', TOKEN)).status, 200);
  for (const path of GUARDED.filter((one) => one !== '/metrics')) {
    const reply = await site.bearer(path, METRICS_TOKEN);
    t.equal(reply.status, 403, path);
    t.match(reply.body, /opens \/metrics and nothing else/);
  }
  t.equal((await site.bearer('/metrics', METRICS_TOKEN, { method: 'POST' })).status, 403);
  t.equal((await site.logIn(METRICS_TOKEN)).status, 401);
});

t.test('whoever guesses is slowed down, alone', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  const cookie = await site.cookie();
  const first = await Promise.all(Array.from({ length: 20 }, (_, index) => site.bearer('/', `guess ${index}`)));
  t.equal(first.filter(({ status }) => status === 401).length, 10, 'ten are compared, however many come at once');
  const refused = first.filter(({ status }) => status === 429);
  t.equal(refused.length, 10);
  t.equal(refused[0]?.headers['retry-after'], '6');
  t.equal(site.wrong.length, 10);
  t.equal((await site.bearer('/', TOKEN)).status, 429, 'then nothing tells whether one is right');
  t.equal((await site.logIn(TOKEN)).status, 429, 'in the form neither');
  t.equal((await site.ask('/', { headers: { cookie } })).status, 200, 'a session goes on');
  t.equal((await site.ask('/', { localAddress: '127.0.0.2' })).status, 401);
  t.equal((await site.bearer('/', TOKEN, { localAddress: '127.0.0.2' })).status, 200, 'others are let in');
  t.equal((await site.ask('/readyz')).status, 200);
  site.ahead = 6001;
  t.equal((await site.bearer('/', TOKEN)).status, 200);
});

t.test('a program with an old token locks nobody out', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN, metricsToken: METRICS_TOKEN });
  for (let scrape = 0; scrape < 30; scrape += 1)
    t.equal((await site.bearer('/metrics', 'the-token-of-last-year')).status, 401);
  t.equal((await site.bearer('/', TOKEN)).status, 200, 'since one token shown often is one guess');
});

t.test('the client behind a proxy is slowed down, and not the proxy', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN, trustedProxies: new NetworkSet(['127.0.0.1']) });
  const from = (client: string) => ({ headers: { 'x-forwarded-for': client } });
  for (let guess = 0; guess < 10; guess += 1) await site.bearer('/', `wrong ${guess}`, from('192.0.2.1'));
  t.equal((await site.bearer('/', TOKEN, from('192.0.2.1'))).status, 429);
  t.equal((await site.bearer('/', TOKEN, from('192.0.2.2'))).status, 200);
  t.equal(new Set(site.wrong).size, 1);
  t.equal(site.wrong[0], '192.0.2.1');
});

t.test('a wrong token is told to be wrong only after a while', async (t) => {
  const guard = new TokenGuard(new FailureLimit(), 200);
  const started = performance.now();
  t.equal(await guard.check(TOKEN, [METRICS_TOKEN, TOKEN], '192.0.2.1'), TOKEN);
  t.ok(performance.now() - started < timeLimit(150), 'a right one at once');
  t.equal(await guard.check('wrong', [TOKEN], '192.0.2.1'), undefined);
  t.ok(performance.now() - started > 190);
});

t.test('no more than so many wait for that', async (t) => {
  const guard = new TokenGuard(new FailureLimit(), 3000);
  const verdicts: unknown[] = [];
  const guess = (index: number) => guard.check('wrong', [TOKEN], `192.0.2.${index}`);
  for (let index = 0; index < 64; index += 1) void guess(index).then((verdict) => verdicts.push(verdict));
  t.equal(await guess(64), undefined, 'the next one is answered at once');
  t.same(verdicts, []);
  t.equal(await guard.check(TOKEN, [TOKEN], '192.0.2.99'), TOKEN, 'and whoever has the token does not wait');
});
