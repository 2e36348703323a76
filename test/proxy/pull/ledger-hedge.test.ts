import t from 'tap';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { digestOf, type LedgerSite, pathOf, startLedgerSite, tagWarning } from './ledger-site.ts';
import { allQuiet, asksFirst, lineFor } from './paced-upstream.ts';

// While the push upstream is merely slow, nothing but a digest that the ledger has as current may overtake it.

const IMAGE = 'warn/app:1';
const SLOW = { harbor: { hedge: { floor: '40ms' }, breaker: { consecutive: 100, volume: 1000 } } };

const slow = ({ harbor }: LedgerSite, ms: number) =>
  harbor.faults.on('delay', { ms: timeLimit(ms), kind: 'manifest', path: 'app' });

const BEFORE: [says: string, verdict: string, prepare: (site: LedgerSite) => Promise<unknown>][] = [
  [
    'unknown',
    'unknown',
    async (site) => {
      site.put('both', IMAGE, 1);
      await site.lab.edge.http1().ask(pathOf(IMAGE));
      site.put('gcr', IMAGE, 3);
    },
  ],
  [
    'unrecorded',
    'unrecorded',
    async (site) => {
      site.put('harbor', IMAGE, 1);
      site.put('gcr', IMAGE, 3);
    },
  ],
  [
    'older, and the current one is nowhere else',
    'stale',
    async (site) => {
      site.put('both', IMAGE, 1);
      await site.lab.edge.http1().ask(pathOf(IMAGE));
      site.put('harbor', IMAGE, 2);
      await site.lab.edge.http1().ask(pathOf(IMAGE));
    },
  ],
];

t.test('a tag that the ledger confirms', async (t) => {
  const site = await startLedgerSite(t, SLOW);
  const { edge } = site.lab;
  const { digest } = site.put('both', IMAGE, 1);
  await edge.http1().ask(pathOf(IMAGE));
  await slow(site, 2000);
  for (const client of [edge.http1(), edge.http2()]) {
    for (const method of ['GET', 'HEAD']) {
      await asksFirst(site.lab, 'harbor', IMAGE);
      const reply = await client.ask(pathOf(IMAGE), { method });
      t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, `${client.version} ${method}`);
      t.equal(digestOf(reply), digest);
      t.match(await lineFor(edge, reply), {
        hedges: { started: 1, won: 1 },
        tag: { verdict: 'current', action: 'served' },
        attempts: [{ upstream: 'gcr' }, { upstream: 'harbor', reason: 'late' }],
      });
    }
  }
  await allQuiet(edge);
});

for (const [says, , prepare] of BEFORE) {
  t.test(`a tag that it does not: ${says}`, async (t) => {
    const site = await startLedgerSite(t, SLOW);
    const { edge } = site.lab;
    await prepare(site);
    const current = site.harbor.store.manifest('inner/warn/app', '1')?.digest;
    await slow(site, 500);
    for (const client of [edge.http1(), edge.http2()]) {
      const reply = await client.ask(pathOf(IMAGE));
      t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } }, 'it is waited for');
      t.equal(digestOf(reply), current);
      t.equal(tagWarning(reply), undefined);
      t.match(await lineFor(edge, reply), { hedges: { started: 1, won: 0 } });
    }
    await allQuiet(edge);
  });
}

for (const [says, verdict, prepare] of BEFORE) {
  t.test(`and when the slow one does not answer at all: ${says}`, async (t) => {
    const harbor = { ...SLOW.harbor, deadlines: { manifest: '400ms' } };
    const site = await startLedgerSite(t, { harbor });
    const { edge } = site.lab;
    await prepare(site);
    await slow(site, 2000);
    const reply = await edge.http1().ask(pathOf(IMAGE));
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
    if (verdict === 'unrecorded') t.equal(tagWarning(reply), undefined);
    else t.match(tagWarning(reply), /^tag 1 at gcr/);
    const action = verdict === 'unrecorded' ? 'served' : 'warned';
    const line = await lineFor(edge, reply);
    t.match(line, { tag: { verdict, action } });
    t.match(
      line.attempts.find(({ upstream }) => upstream === 'harbor'),
      { reason: 'first-byte' },
    );
    t.equal(line.attempts.filter(({ upstream }) => upstream === 'harbor').length, verdict === 'stale' ? 2 : 1);
    await allQuiet(edge);
  });
}

t.test('one that is passed over because it is slow is asked for a tag all the same', async (t) => {
  const breaker = { consecutive: 3, open: '60s' };
  const probe = { fastInterval: '1h', interval: '1h' };
  const site = await startLedgerSite(t, { harbor: { ...SLOW.harbor, breaker, probe } });
  const { edge } = site.lab;
  const client = edge.http2();
  site.put('both', 'warn/app:1', 1);
  await client.ask(pathOf('warn/app:1'));
  await slow(site, 2000);
  await until(async () => {
    const { headers } = await client.ask(pathOf('warn/app:1'));
    return /late again and again/.test(String(headers.warning));
  });
  site.put('gcr', 'warn/app:2', 3);
  const { digest } = site.put('harbor', 'warn/app:2', 2);
  await slow(site, 100);
  const reply = await client.ask(pathOf('warn/app:2'));
  t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'harbor' } });
  t.equal(digestOf(reply), digest);
});
