import t from 'tap';
import { sha256 } from '../../helpers/lab-site.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import {
  allQuiet,
  asksFirst,
  BLOB,
  BY_DIGEST,
  CONTENT,
  lineFor,
  MANIFEST,
  serveRight,
  serveTrickle,
  startPacedSite,
  status,
} from './paced-upstream.ts';

// A NAS that is ill sends heads in time, and then hardly anything: an answer is late when its beginning is.

const PATIENT = { breaker: { consecutive: 100, volume: 1000 } };
const BEGINNING = 16_384;

t.test('a body that trickles is late', async (t) => {
  const asks: [path: string, headers: Record<string, string>, body: Buffer][] = [
    [BLOB, {}, CONTENT],
    [BLOB, { range: 'bytes=1000-1999' }, CONTENT.subarray(1000, 2000)],
    [BY_DIGEST, {}, MANIFEST],
  ];
  const site = await startPacedSite(t, { all: PATIENT, harbor: { hedge: { floor: '40ms', share: 100 } } });
  const { edge, harbor, gcr } = site;
  for (const first of [0, 1, 500]) {
    harbor.answer = serveTrickle(first);
    for (const client of [edge.http1(), edge.http2()]) {
      for (const [path, headers, body] of asks.filter((ask) => ask[2].length > first)) {
        await asksFirst(site);
        const left = harbor.left;
        const reply = await client.ask(path, { headers });
        const says = `${client.version} ${path} ${headers.range ?? ''}, ${first} bytes at once`;
        t.match(reply, { complete: true, headers: { 'x-breakwater-upstream': 'gcr', warning: /harbor.*late/ } }, says);
        t.equal(sha256(reply.body), sha256(body), 'the right bytes');
        t.ok(reply.headersAfter < timeLimit(1500), `well before any deadline: ${reply.headersAfter}`);
        t.match(await lineFor(edge, reply), {
          outcome: 'fallback',
          hedges: { started: 1, won: 1, refused: 0 },
          attempts: [
            { upstream: 'gcr', outcome: 'served' },
            { upstream: 'harbor', outcome: 'failed', reason: 'late' },
          ],
          splices: undefined,
        });
        await until(() => harbor.left === left + 1 && harbor.open.size === 0, { what: () => 'harbor left' });
      }
    }
  }
  t.equal(gcr.open.size, 0);
  await allQuiet(edge);
});

t.test('one that is slow after its beginning has answered', async (t) => {
  const site = await startPacedSite(t, { all: PATIENT, harbor: { hedge: { floor: '100ms' } } });
  site.harbor.answer = serveTrickle(CONTENT.length - 100);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const reply = await client.ask(BLOB);
    t.match(reply, { complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.ok(reply.body.equals(CONTENT));
  }
  site.harbor.answer = serveTrickle(BEGINNING);
  const range = `bytes=0-${BEGINNING + 100}`;
  const reply = await site.edge.http1().ask(BLOB, { headers: { range } });
  t.match(reply, { complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
  t.equal(site.gcr.asked, 0, 'no other upstream was asked');
  await allQuiet(site.edge);
});

t.test('a trickle is the answer at the deadline when no other upstream serves', async (t) => {
  const site = await startPacedSite(t, { all: { ...PATIENT, deadlines: { blob: '600ms' } } });
  const { edge, harbor, gcr, quay } = site;
  harbor.answer = serveTrickle(40);
  gcr.answer = quay.answer = status(500);
  for (const client of [edge.http1(), edge.http2()]) {
    await asksFirst(site);
    const reply = await client.ask(BLOB, { headers: { range: 'bytes=0-599' } });
    t.match(reply, { status: 206, complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.ok(reply.body.equals(CONTENT.subarray(0, 600)));
    t.ok(reply.headersAfter > 500, `the others might have answered: ${reply.headersAfter}`);
    t.match(await lineFor(edge, reply), { attempts: [{ upstream: 'gcr' }, { upstream: 'harbor', outcome: 'served' }] });
  }
  await allQuiet(edge);
});

t.test('without another upstream the first byte is an answer', async (t) => {
  const cases = [
    { route: { pull: [{ upstream: 'harbor' }] } },
    { harbor: { hedge: { floor: '40ms', share: 0 }, deadlines: { blob: '4000ms' } } },
  ];
  for (const options of cases) {
    const site = await startPacedSite(t, options);
    site.harbor.answer = serveTrickle(1);
    const reply = await site.edge.http2().ask(BLOB, { headers: { range: 'bytes=0-400' } });
    t.match(reply, { complete: true, headers: { 'x-breakwater-upstream': 'harbor' } });
    t.ok(reply.headersAfter < timeLimit(900), `before the rest was there: ${reply.headersAfter}`);
    t.equal(site.gcr.asked, 0);
    await allQuiet(site.edge);
  }
});

t.test('a client that leaves before the beginning is there', async (t) => {
  const site = await startPacedSite(t, { all: { hedge: { floor: '5s' } } });
  site.harbor.answer = serveTrickle(100);
  const stream = site.edge.http2().open(BLOB);
  stream.on('error', () => undefined);
  await until(() => site.harbor.open.size === 1, { every: 2 });
  stream.close(8);
  await until(() => site.harbor.open.size === 0, { every: 2, what: () => 'harbor to be left' });
  await allQuiet(site.edge);
  t.match(site.edge.app.status().upstreams[0], { urls: [{ breakers: { data: 'closed' } }] }, 'no upstream failed');
});

t.test('it is left alone after a few, and comes back by itself', async (t) => {
  // The canary sees nothing of it: the breaker alone decides, and tries harbor by one pull at a time.
  const site = await startPacedSite(t, { all: { breaker: { open: '300ms', openMax: '1s' } } });
  const { edge, harbor } = site;
  harbor.answer = serveTrickle();
  const client = edge.http1();
  for (let count = 0; count < 20; count += 1)
    t.match(await client.ask(BLOB), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.ok(harbor.asked <= 8, `asked ${harbor.asked} times`);
  harbor.answer = serveRight;
  await until(async () => (await client.ask(BLOB)).headers['x-breakwater-upstream'] === 'harbor', {
    what: () => 'harbor to serve again',
  });
  for (let count = 0; count < 5; count += 1)
    t.match(await client.ask(BLOB), { headers: { 'x-breakwater-upstream': 'harbor' } }, 'and goes on');
});
