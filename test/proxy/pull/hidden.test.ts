import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { PROBE } from '../../helpers/edge-in-process.ts';
import type { Reply } from '../../helpers/http1-client.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import {
  BY_TAG,
  hides,
  json,
  PATHS,
  REFERRERS,
  RIGHTFUL,
  STRANGERS,
  serveAll,
  startHiding,
  TAGS,
  WORDS,
} from './hidden-site.ts';
import {
  asksFirst,
  BLOB,
  BY_DIGEST,
  CONTENT,
  lineFor,
  type PacedOptions,
  type PacedSite,
  status,
} from './paced-upstream.ts';

// A primary that gets the clients' own credentials hides an image from some of them by 404. No other upstream may show it to them, whatever
// a rightful user pulled before (rule 3).

async function eachHidden(
  site: PacedSite,
  check: (reply: Reply, name: string) => unknown,
  prepare?: () => Promise<unknown>,
): Promise<void> {
  for (const headers of STRANGERS) {
    for (const path of PATHS) {
      for (const method of ['GET', 'HEAD']) {
        await prepare?.();
        const client = method === 'GET' ? site.edge.http1() : site.edge.http2();
        const who = headers.authorization === undefined ? 'no one' : 'bob';
        check(await client.ask(path, { method, headers }), `${who}: ${method} ${path.slice(0, 24)}`);
      }
    }
  }
}

const rightful = { headers: { authorization: RIGHTFUL } };

t.test('while the primary is well', async (t) => {
  // Without hedges, because on a busy machine an answer may be late.
  const site = await startHiding(t, { harbor: { hedge: { share: 0 } } });
  const client = site.edge.http1();
  for (const path of PATHS) t.match(await client.ask(path, rightful), { status: 200 }, path);
  await eachHidden(site, (reply, name) => {
    t.equal(reply.status, 404, name);
    if (!name.includes('GET')) return;
    const [error] = JSON.parse(reply.body.toString()).errors;
    t.strictSame(
      error,
      { code: 'NOT_FOUND', message: WORDS, detail: {} },
      'in the words of the upstream, without its paths',
    );
  });
  t.equal(site.gcr.asked, 0, 'no other upstream was asked');
  site.harbor.answer = status(500);
  const reply = await client.ask(BY_TAG, rightful);
  t.match(
    await lineFor(site.edge, reply),
    { tag: { verdict: 'current', action: 'served' } },
    'the tag counts as it was',
  );
});

for (const [says, options] of [
  ['with onAbsent: next', { route: { onAbsent: 'next' } }],
  ['without a canary', { all: { probe: { interval: '50ms', fastInterval: '20ms' } } }],
] as [string, PacedOptions][]) {
  t.test(says, async (t) => {
    const site = await startHiding(t, options);
    const client = site.edge.http1();
    for (const path of PATHS) t.match(await client.ask(path, rightful), { status: 200 }, path);
    await eachHidden(site, (reply, name) => t.equal(reply.status, 404, name));
  });
}

t.test('while the primary is not the first upstream of the route', async (t) => {
  const pull = ['quay', 'harbor', 'gcr'].map((upstream) => ({ upstream }));
  const site = await startHiding(t, { harbor: { hedge: { share: 0 } }, route: { pull } });
  site.quay.answer = status(404);
  const client = site.edge.http1();
  for (const onceShown of [false, true]) {
    if (onceShown) t.match(await client.ask(BY_TAG, rightful), { status: 200 });
    await eachHidden(site, (reply, name) => t.equal(reply.status, 404, name));
  }
  t.equal(site.gcr.asked, 0, 'no other upstream was asked');
});

t.test('while the primary is slow', async (t) => {
  // One probe that a busy machine answers late would be an outage, in which the fallback may answer.
  const probe = { ...PROBE, canary: 'canary:latest', fall: 10 };
  const site = await startHiding(t, { harbor: { hedge: { floor: '20ms', share: 100 }, probe } });
  const client = site.edge.http1();
  for (const path of PATHS) await client.ask(path, rightful);
  site.harbor.pace = timeLimit(120);
  await eachHidden(
    site,
    (reply, name) => t.equal(reply.status, 404, name),
    () => asksFirst(site),
  );
  t.ok(site.gcr.asked > 0, 'the fallback was asked meanwhile');
  site.harbor.pace = 'never';
  for (const path of [BY_DIGEST, BLOB]) {
    await asksFirst(site);
    const reply = await client.ask(path, rightful);
    t.equal(reply.status, 200, 'a client that was just shown the repository need not wait');
    t.ok(reply.headersAfter < timeLimit(1500));
  }
});

t.test('while the primary is slower than the deadlines of its attempts', async (t) => {
  const probe = { ...PROBE, canary: 'canary:latest', fall: 10, timeout: '5s' };
  for (const share of [0, 100]) {
    const deadlines = { manifest: '200ms', blob: '200ms', last: '20s' };
    const site = await startHiding(t, { harbor: { deadlines, probe, hedge: { floor: '20ms', share } } });
    site.harbor.pace = timeLimit(500);
    await Promise.all(
      [...STRANGERS, rightful.headers].flatMap((headers) =>
        PATHS.map(async (path) => {
          const reply = await site.edge.http2().ask(path, { headers });
          const expected = headers === rightful.headers ? 200 : 404;
          t.equal(reply.status, expected, `hedges ${share}: ${headers.authorization} ${path.slice(0, 24)}`);
          t.notMatch(reply.headers, { 'x-breakwater-upstream': /gcr|quay/ });
        }),
      ),
    );
  }
});

t.test('an empty list of a fallback that answers sooner', async (t) => {
  const probe = { ...PROBE, canary: 'canary:latest', fall: 10, timeout: '5s' };
  const site = await startHiding(t, { harbor: { hedge: { floor: '20ms', share: 100 }, probe } });
  site.gcr.answer = json({ name: 'app', tags: [] });
  site.harbor.answer = async (...exchange) => {
    // The hedge has its answer before the primary answers.
    await until(() => site.gcr.asked > 0 && site.gcr.open.size === 0);
    await sleep(timeLimit(200));
    hides(...exchange);
  };
  const reply = await site.edge.http1().ask(TAGS, { headers: STRANGERS[0] ?? {} });
  t.equal(reply.status, 404);
  t.match((await lineFor(site.edge, reply)).attempts, [{ upstream: 'gcr' }, { upstream: 'harbor' }]);
});

t.test('a client that the primary limits', async (t) => {
  const site = await startHiding(t, { harbor: { hedge: { share: 0 } } });
  const client = site.edge.http1();
  await client.ask(BLOB, rightful);
  for (const headers of STRANGERS) {
    site.harbor.answer = status(429, { 'retry-after': '60' });
    for (const path of PATHS) t.equal((await client.ask(path, { headers })).status, 429, path);
    site.harbor.answer = hides;
    for (const path of PATHS)
      t.equal((await client.ask(path, { headers })).status, 404, `${path}, while the client is rate-limited`);
  }
  t.equal(site.gcr.asked, 0, 'no other upstream was asked');
  site.harbor.answer = status(429);
  // An empty list of the fallback would be no answer.
  for (const path of PATHS.filter((one) => one !== REFERRERS))
    t.equal((await client.ask(path, rightful)).status, 200, 'what was just shown is served');
});

t.test('the catalog of a client that the primary limits', async (t) => {
  const site = await startHiding(t, { harbor: { hedge: { share: 0 } } });
  const client = site.edge.http1();
  const catalog = (headers: Record<string, string> = {}) => client.ask('/v2/_catalog', { headers });
  site.harbor.answer = status(429);
  t.equal((await catalog()).status, 429);
  t.equal((await catalog(STRANGERS[0])).status, 429, 'again');
  t.equal(site.gcr.asked, 0, 'no other upstream was asked for names');
  site.harbor.answer = status(500);
  t.match(await catalog(rightful.headers), { status: 503 }, 'the failure may concern this client alone');
  t.equal(site.gcr.asked, 0);
  site.harbor.canary = status(500);
  t.match(JSON.parse((await catalog(rightful.headers)).body.toString()), { repositories: ['app'] }, 'an outage');
});

t.test('a client that holds all places it may have', async (t) => {
  const site = await startHiding(t, {
    harbor: {
      hedge: { share: 0 },
      maxInFlight: { control: 8, data: 8 },
      deadlines: { manifest: '800ms', blob: '800ms', last: '1500ms' },
    },
  });
  site.harbor.answer = (req, res) => (req.url?.startsWith('/v2/app/') ? hides(req, res) : undefined);
  for (const [path, served] of [
    [BY_DIGEST, '/v2/slow/manifests/1'],
    [BLOB, BLOB.replace('app', 'slow')],
  ] as const) {
    const client = site.edge.http2();
    const held = Array.from({ length: 7 }, (_, index) => client.ask(served.replace('slow', `slow${index}`)));
    await until(() => site.harbor.open.size >= 7);
    const reply = await site.edge.http1().ask(path);
    t.ok([404, 503].includes(reply.status), `${path.slice(0, 20)}: ${reply.status}`);
    t.notMatch(reply.headers, { 'x-breakwater-upstream': 'gcr' });
    await Promise.all(held);
  }
});

t.test('a client that holds all places, and gets one late', async (t) => {
  const deadlines = { manifest: '800ms', blob: '800ms', last: '1500ms' };
  const site = await startHiding(t, {
    harbor: { hedge: { share: 0 }, maxInFlight: { control: 8, data: 8 }, deadlines },
  });
  site.harbor.answer = () => undefined;
  for (const [path, served] of [
    [BY_DIGEST, '/v2/slow/manifests/1'],
    [BLOB, BLOB.replace('app', 'slow')],
  ] as const) {
    const client = site.edge.http2();
    const held = Array.from({ length: 7 }, (_, index) => client.ask(served.replace('slow', `slow${index}`)));
    await until(() => site.harbor.open.size === 7);
    const asked = site.harbor.asked;
    const reply = site.edge.http1().ask(path);
    const waiting = () => site.edge.app.status().upstreams[0]?.urls[0]?.waiting;
    await until(() => Object.values(waiting() ?? {}).some((waits) => waits > 0));
    const [first] = site.harbor.open;
    if (first) serveAll(first.req, first);
    await until(() => site.harbor.asked > asked);
    const { status: code, headers } = await reply;
    t.ok([404, 503].includes(code), `${path.slice(0, 20)}: ${code}`);
    t.notMatch(headers, { 'x-breakwater-upstream': 'gcr' });
    await Promise.all(held);
  }
});

t.test('a blob of which the primary has a corrupt copy', async (t) => {
  const site = await startHiding(t, { harbor: { hedge: { share: 0 } } });
  const client = site.edge.http1();
  site.harbor.answer = (req, res) =>
    req.headers.authorization === RIGHTFUL ? res.end(Buffer.alloc(CONTENT.length)) : hides(req, res);
  await client.ask(BLOB, rightful).catch(() => undefined);
  await until(() => site.edge.app.status().upstreams[0]?.corrupt.count === 1);
  t.match(await client.ask(BLOB, rightful), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  for (const headers of STRANGERS) {
    t.equal((await client.ask(BLOB, { headers })).status, 404);
    t.equal((await client.ask(BLOB, { headers: { ...headers, range: 'bytes=10-19' } })).status, 503);
  }
});

t.test('a primary whose canary fails is an outage', async (t) => {
  const site = await startHiding(t);
  site.harbor.answer = site.harbor.canary = status(500);
  t.match(await site.edge.http1().ask(BY_DIGEST), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
});
