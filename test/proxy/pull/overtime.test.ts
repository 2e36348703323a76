import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { PROBE } from '../../helpers/edge-in-process.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import {
  allQuiet,
  BLOB,
  BY_DIGEST,
  lineFor,
  type PacedOptions,
  type PacedSite,
  serveRight,
  startPacedSite,
  status,
} from './paced-upstream.ts';

// A deadline is for going to the next upstream, and not for giving up on the last one that may have the content and is alive (rule 11).

const DEADLINES = { manifest: '300ms', blob: '300ms', last: '20s' };
/** Longer than the deadlines of an attempt. */
const SLOW_MS = timeLimit(700);
/** A busy machine must not look like an outage. */
const PATIENT_PROBE = { ...PROBE, canary: 'canary:latest', timeout: '5s', fall: 10 };
const NO_HEDGE = { hedge: { share: 0 } };

const ROUTES = [
  { prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] },
  { prefix: 'readonly/', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] },
  { prefix: 'alone/', pull: [{ upstream: 'harbor' }] },
  { prefix: 'down/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'quay' }] },
  { prefix: 'outage/', push: 'quay', pull: [{ upstream: 'quay' }, { upstream: 'gcr' }] },
  { prefix: 'gcr/', pull: [{ upstream: 'gcr' }] },
];

/** gcr lacks everything but `outage/`, `both/` and what fails; quay is down. Images of `team/` are in harbor only. */
async function startSlowSite(owner: Owner, options: PacedOptions = {}): Promise<PacedSite> {
  const { all, config, ...others } = options;
  const site = await startPacedSite(owner, {
    all: { deadlines: DEADLINES, probe: PATIENT_PROBE, ...all },
    config: { routes: ROUTES, ...config },
    ...others,
  });
  site.gcr.answer = async (req, res) => {
    if (req.url?.startsWith('/v2/outage/')) await sleep(SLOW_MS);
    if (/^\/v2\/(outage|both)\//.test(req.url ?? '')) return serveRight(req, res);
    return status(/^\/v2\/(failing|gcr)\//.test(req.url ?? '') ? 500 : 404)(req, res);
  };
  site.harbor.pace = SLOW_MS;
  site.quay.close();
  await site.edge.upstream('quay', 'down');
  return site;
}

const at = (repository: string) => [
  `/v2/${repository}/manifests/1`,
  BY_DIGEST.replace('app', repository),
  BLOB.replace('app', repository),
];

const ROWS: [repository: string, says: string, upstream?: string][] = [
  ['team/app', 'the other one does not have it'],
  ['failing/app', 'the other one fails'],
  ['readonly/app', 'the route is read-only, and the other one does not have it'],
  ['alone/app', 'the route is read-only, and has one upstream'],
  ['down/app', 'the other one is down'],
  ['outage/app', 'the primary is down', 'gcr'],
];

for (const [mode, hedge] of [
  ['with hedges', { floor: '40ms', share: 100 }],
  ['without hedges', { share: 0 }],
] as const) {
  t.test(`a slow upstream that is the last one is waited for, ${mode}`, async (t) => {
    const site = await startSlowSite(t, { all: { deadlines: DEADLINES, probe: PATIENT_PROBE, hedge } });
    const [http1, http2] = [site.edge.http1(), site.edge.http2()];
    let asks = 0;
    // Together, because most of the time is spent waiting.
    await Promise.all(
      ROWS.flatMap(([repository, says, upstream = 'harbor']) =>
        at(repository).flatMap((path) =>
          ['GET', 'HEAD'].map(async (method) => {
            if (upstream === 'harbor') asks += 1;
            const reply = await (method === 'GET' ? http1 : http2).ask(path, { method });
            const [, , , , kind] = path.split('/');
            t.match(
              reply,
              { status: 200, headers: { 'x-breakwater-upstream': upstream } },
              `${says}: ${method} ${kind}, ${reply.body.subarray(0, 200)}`,
            );
          }),
        ),
      ),
    );
    t.equal(site.harbor.asked, asks, 'each request is sent once');
    await allQuiet(site.edge);
  });
}

t.test('the breaker of the other one is open', async (t) => {
  const site = await startSlowSite(t, { gcr: { probe: { ...PATIENT_PROBE, interval: '1h', fastInterval: '1h' } } });
  const client = site.edge.http1();
  for (let n = 0; n < 8; n += 1)
    await client.ask(`/v2/gcr/${n}/manifests/1`, { headers: { 'x-forwarded-for': `192.0.2.${n}` } });
  const gcr = site.edge.app.status().upstreams.find(({ name }) => name === 'gcr');
  t.match(gcr?.urls[0]?.breakers, { control: 'open' });
  t.match(await client.ask('/v2/team/app/manifests/1'), { status: 200 });
});

t.test('an upstream that is slow gives way to another one that has it, at its deadline', async (t) => {
  const site = await startSlowSite(t, { harbor: NO_HEDGE });
  site.harbor.pace = 'never';
  for (const path of at('both/app')) {
    const reply = await site.edge.http1().ask(path);
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, path);
    const { attempts } = await lineFor(site.edge, reply);
    const harbor = attempts.find(({ upstream }) => upstream === 'harbor');
    t.match(harbor, { outcome: 'failed', reason: 'first-byte' }, 'its breaker hears of it');
  }
  t.equal(site.harbor.open.size, 0, 'nothing is left of it');
});

t.test('two slow ones: the first to answer serves', async (t) => {
  const site = await startSlowSite(t, { harbor: NO_HEDGE });
  site.gcr.pace = 'never';
  for (const path of at('both/app'))
    t.match(await site.edge.http1().ask(path), { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } }, path);
  await until(() => site.gcr.open.size === 0);
});

t.test('where the canary is not good, the deadline holds', async (t) => {
  const probe = { ...PATIENT_PROBE, interval: '1h', fastInterval: '1h' };
  for (const [says, given, canary] of [
    ['it fails', probe, status(500)],
    ['there is none', PROBE, serveRight],
  ] as const) {
    const site = await startSlowSite(t, { harbor: { ...NO_HEDGE, probe: given } });
    site.harbor.pace = 'never';
    site.harbor.canary = canary;
    for (const path of at('team/app')) {
      const reply = await site.edge.http1().ask(path);
      t.match(reply, { status: 503, headers: { 'retry-after': /\d/ } }, `${says}: ${path}`);
      t.ok(reply.headersAfter < timeLimit(9500), `after ${Math.round(reply.headersAfter)} ms`);
    }
  }
});

t.test('an outage ends the wait', async (t) => {
  const site = await startSlowSite(t, { harbor: { ...NO_HEDGE, probe: { ...PATIENT_PROBE, fall: 2 } } });
  site.harbor.pace = 'never';
  const waiting = site.edge.http1().ask('/v2/team/app/manifests/1');
  await until(() => site.gcr.asked > 0);
  let reads = 0;
  site.harbor.canary = (req, res) => {
    reads += 1;
    serveRight(req, res);
  };
  // The read for this attempt is over.
  await until(() => reads > 5);
  site.harbor.canary = status(500);
  t.match(await waiting, { status: 503, headers: { 'retry-after': /\d/ } });
  t.match(site.edge.app.status().upstreams.find(({ name }) => name === 'harbor')?.state, 'down');
});

t.test('such waits take at most half of the places, and one client leaves some to others', async (t) => {
  const maxInFlight = { control: 16, data: 16, queue: 100 };
  const site = await startSlowSite(t, { harbor: { ...NO_HEDGE, maxInFlight } });
  site.harbor.pace = 'never';
  const client = site.edge.http2();
  const ask = (n: number | string, by: string) =>
    client.ask(`/v2/team/${n}/manifests/1`, { headers: { 'x-forwarded-for': by } });
  const own = Array.from({ length: 8 }, (_, n) => ask(n, '192.0.2.1'));
  t.equal((await Promise.race(own)).status, 503, 'seven of eight waits');
  const others = ['192.0.2.2', '192.0.2.3'].map((by) => ask(by, by));
  t.equal((await Promise.race(others)).status, 503, 'no wait is left for another client');
  t.equal(site.harbor.open.size, 8);
  for (const res of site.harbor.open) serveRight(res.req, res);
  const statuses = (await Promise.all([...own, ...others])).map((reply) => reply.status).sort();
  t.strictSame(statuses, [...Array(8).fill(200), 503, 503]);
  await allQuiet(site.edge);
});

t.test('a client that leaves gives its place back', async (t) => {
  const maxInFlight = { control: 8, data: 8 };
  const site = await startSlowSite(t, { harbor: { ...NO_HEDGE, maxInFlight } });
  site.harbor.pace = 'never';
  for (const path of ['/v2/team/app/manifests/1', BLOB.replace('app', 'team/app')]) {
    for (let round = 0; round < 2; round += 1) {
      const client = site.edge.http2();
      const asked = site.gcr.asked;
      const waiting = Array.from({ length: 4 }, (_, n) => client.ask(path.replace('app', `${n}`)).catch(() => 'gone'));
      // The next upstream is asked when the time of an attempt is over.
      await until(() => site.gcr.asked === asked + 4);
      t.equal(site.harbor.open.size, 4, `all of them wait: ${path}`);
      client.close();
      t.strictSame(await Promise.all(waiting), Array(4).fill('gone'));
      await until(() => site.harbor.open.size === 0);
      await allQuiet(site.edge);
    }
  }
});

t.test('a wait that clients share lasts for as long as one of them is there', async (t) => {
  const site = await startSlowSite(t, { harbor: NO_HEDGE });
  site.harbor.pace = 'never';
  const clients = [site.edge.http1(), site.edge.http1(), site.edge.http2()];
  const replies = clients.map((client) => client.ask('/v2/team/app/manifests/1').catch(() => undefined));
  await until(() => site.gcr.asked > 0);
  clients[0]?.close();
  await replies[0];
  t.equal(site.harbor.open.size, 1);
  for (const res of site.harbor.open) serveRight(res.req, res);
  t.match(await Promise.all(replies.slice(1)), [{ status: 200 }, { status: 200 }]);
  t.equal(site.harbor.asked, 1);
});
