import fc from 'fast-check';
import t from 'tap';
import { sha256 } from '../../helpers/lab-site.ts';
import { propertyRuns } from '../../helpers/property-runs.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import {
  type Answer,
  allQuiet,
  asksFirst,
  BLOB,
  BY_DIGEST,
  CONTENT,
  type HedgedLine,
  lineFor,
  MANIFEST,
  type Pace,
  type PacedSite,
  serveRight,
  startPacedSite,
  status,
} from './paced-upstream.ts';

// A slow upstream neither gets its load doubled nor runs up the bill of its fallback; an upstream that is late again and again is not waited for.

const BURST = 10;
const UNBROKEN = { consecutive: 1000, volume: 1000 };

/** Spends all that may be spent at once, by as many clients. @param path of the blob that each of them asks for */
async function spend(site: PacedSite, path = (_index: number) => BLOB): Promise<void> {
  const client = site.edge.http2();
  const asked = (index: number) => client.ask(path(index), { headers: { 'x-forwarded-for': `10.0.0.${index}` } });
  const replies = await Promise.all(Array.from({ length: BURST }, (_, index) => asked(index)));
  for (const reply of replies) if (reply.status !== 200) throw new Error(`answered ${reply.status}`);
}

const hedgesOf = ({ edge }: PacedSite) =>
  (edge.requests as HedgedLine[]).reduce((sum, { hedges }) => sum + (hedges?.started ?? 0), 0);

t.test('no hedge beyond the budget', async (t) => {
  const site = await startPacedSite(t, {
    all: { breaker: UNBROKEN },
    harbor: { hedge: { floor: '40ms', share: 0.001 }, deadlines: { blob: `${timeLimit(5000)}ms` } },
  });
  site.harbor.pace = 'never';
  await spend(site);
  await until(() => hedgesOf(site) === BURST, { what: () => 'ten lines' });
  const before = site.gcr.asked;
  site.harbor.pace = timeLimit(1500);
  await asksFirst(site);
  const replies = await Promise.all([site.edge.http1(), site.edge.http2()].map((client) => client.ask(BLOB)));
  for (const reply of replies) {
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } }, 'it is waited for');
    const line = await lineFor(site.edge, reply);
    t.match(line, { outcome: 'served', hedges: { started: 0, refused: 1 } }, JSON.stringify(line));
  }
  t.equal(site.gcr.asked, before, 'and no other upstream is asked');
  t.match((await site.edge.admin('/metrics')).body, /^breakwater_hedges_total\{result="refused"\} 2$/m);
});

t.test('none at all', async (t) => {
  const site = await startPacedSite(t, { harbor: { hedge: { floor: '40ms', share: 0 } } });
  site.harbor.pace = timeLimit(300);
  const reply = await site.edge.http1().ask(BY_DIGEST);
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
  t.notHas(await lineFor(site.edge, reply), { hedges: {} });
  t.equal(site.gcr.asked, 0);
});

t.test('an upstream that is late again and again is not waited for', async (t) => {
  const site = await startPacedSite(t, { harbor: { hedge: { floor: '40ms' }, breaker: { consecutive: 3 } } });
  const client = site.edge.http1();
  site.harbor.pace = 'never';
  for (let lost = 0; lost < 3; lost += 1) {
    await asksFirst(site);
    await client.ask(BLOB);
  }
  await until(() => site.harbor.open.size === 0, { what: () => 'harbor to be left' });
  const reply = await client.ask(BLOB);
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr', warning: /late again and again/ } });
  t.notHas(await lineFor(site.edge, reply), { hedges: {} });
  t.equal(site.harbor.asked, 3, 'it was not asked again');
  const [harbor] = site.edge.app.status().upstreams;
  t.match(harbor, { state: 'up', urls: [{ suspected: false, breakers: { data: 'closed', control: 'closed' } }] });
  site.harbor.pace = 0;
  const others: [path: string, client: string][] = [
    [BLOB, '10.0.0.2'],
    [BLOB.replace('app', 'other'), '127.0.0.1'],
  ];
  for (const [path, from] of others) {
    const served = await client.ask(path, { headers: { 'x-forwarded-for': from } });
    t.match(served, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } }, 'others are served by it');
  }
});

t.test('an upstream that is late for several clients in several repositories is not waited for', async (t) => {
  const site = await startPacedSite(t, { harbor: { hedge: { floor: '40ms' } } });
  site.harbor.pace = 'never';
  await spend(site, (index) => BLOB.replace('app', `app${index}`));
  const harbor = () => site.edge.app.status().upstreams[0];
  // A failure counts when the canary was read after it.
  await until(() => harbor()?.urls[0]?.breakers.data === 'open', { what: () => JSON.stringify(harbor()) });
  t.match(harbor(), { state: 'up', urls: [{ breakers: { data: 'open', control: 'closed' } }] }, 'only its class');
  const reply = await site.edge.http1().ask(BLOB);
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr', warning: /breaker open/ } });
  t.equal(site.harbor.asked, BURST, 'it was not asked again');
});

t.test('the trial of a half-open breaker is hedged, whatever the budget', async (t) => {
  const breaker = { consecutive: BURST, open: '20ms', openMax: '20ms' };
  const site = await startPacedSite(t, { harbor: { breaker, hedge: { floor: '40ms', share: 0.001 } } });
  site.harbor.pace = 'never';
  await spend(site, (index) => BLOB.replace('app', `app${index}`));
  // Only its breaker is to speak against it.
  await asksFirst(site);
  const state = () => site.edge.app.status().upstreams[0]?.urls[0]?.breakers.data;
  await until(() => state() === 'half-open', { what: () => `half-open: ${state()}` });
  const reply = await site.edge.http1().ask(BLOB);
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  t.match(await lineFor(site.edge, reply), { hedges: { started: 1, won: 1, refused: 0 } });
  t.equal(site.harbor.asked, BURST + 1, 'the trial was made');
  await until(() => state() === 'half-open', { what: () => `half-open again: ${state()}` });
  await asksFirst(site);
  site.harbor.pace = 0;
  t.match(await site.edge.http1().ask(BLOB), { headers: { 'x-breakwater-upstream': 'harbor' } });
  t.equal(state(), 'closed', 'a good one closes it');
});

const WRONG: Answer = (_, res) =>
  void res.writeHead(200, { 'content-length': MANIFEST.length }).end(' '.repeat(MANIFEST.length));
const RESET: Answer = (req) => void req.socket.destroy();
const ANSWERS: Answer[] = [serveRight, serveRight, serveRight, status(500), status(404), WRONG, RESET];
const pace = fc.constantFrom<Pace>(0, 0, 20, 60, 150, 'never');
const mood = fc.record({ pace, answer: fc.constantFrom(...ANSWERS) });
const step = fc.record({
  harbor: mood,
  gcr: mood,
  quay: mood,
  asks: fc.integer({ min: 1, max: 5 }),
  leave: fc.boolean(),
});

t.test('random paces and faults', { timeout: timeLimit(60_000) }, async (t) => {
  // Waits for the last upstream would make the test long.
  const deadlines = { manifest: '250ms', blob: '250ms', last: '250ms' };
  const site = await startPacedSite(t, {
    all: { deadlines, hedge: { floor: '10ms', share: 20 } },
    config: { verify: 'always' },
  });
  const clients = [site.edge.http1(), site.edge.http2()] as const;
  let asked = 0;
  const run = async ({ asks, leave, ...moods }: typeof step extends fc.Arbitrary<infer S> ? S : never) => {
    for (const name of ['harbor', 'gcr', 'quay'] as const) Object.assign(site[name], moods[name]);
    if (leave)
      clients[1]
        .open(BLOB)
        .on('error', () => undefined)
        .close(8);
    const paths = [BLOB, BY_DIGEST].flatMap((path) => Array.from({ length: asks }, () => path));
    // One whose bytes are wrong may be cut before its head has left.
    const ask = (path: string, index: number) => clients[index % 2 === 0 ? 0 : 1].ask(path).catch(() => undefined);
    const replies = await Promise.all(paths.map(ask));
    asked += paths.length + (leave ? 1 : 0);
    for (const [index, reply] of replies.entries()) {
      const right = paths[index] === BLOB ? CONTENT : MANIFEST;
      if (!reply && paths[index] !== BLOB) return false;
      if (reply?.status === 200 && reply.complete && sha256(reply.body) !== sha256(right)) return false;
      if (reply && ![200, 404, 503].includes(reply.status)) return false;
    }
    return true;
  };
  await fc.assert(fc.asyncProperty(step, run), { numRuns: propertyRuns(15), endOnFailure: true });
  await until(() => site.edge.requests.length >= asked, { what: () => `${asked} lines` });
  const budget = (name: string) =>
    BURST +
    0.2 * site.edge.requests.flatMap(({ attempts }) => attempts).filter(({ upstream }) => upstream === name).length;
  t.ok(hedgesOf(site) <= budget('harbor') + budget('gcr') + budget('quay'), `${hedgesOf(site)} hedges of ${asked}`);
  t.ok(hedgesOf(site) > 0, 'there were some');
  await allQuiet(site.edge);
  const open = () => site.harbor.open.size + site.gcr.open.size + site.quay.open.size;
  await until(() => open() === 0, { what: () => `${open()} to be left` });
});
