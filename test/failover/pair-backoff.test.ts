import t from 'tap';
import type { Evidence } from '../../src/failover/failure-evidence.ts';
import { PairBackoff } from '../../src/failover/pair-backoff.ts';

const APP = { client: 'ann', repository: 'app' };
const NOW = 1_000_000;

function late(backoff: PairBackoff, evidence: Evidence, times: number, now = NOW): void {
  for (let time = 0; time < times; time += 1) backoff.late(evidence, 'data', now);
}

t.test('late answers in a row', async (t) => {
  const backoff = new PairBackoff({ consecutive: 3, open: 4000, openMax: 60_000 });
  late(backoff, APP, 2);
  t.equal(backoff.current(APP, 'data', NOW), undefined, 'two are not enough');
  late(backoff, APP, 1);
  t.strictSame(backoff.current(APP, 'data', NOW), { until: NOW + 4000, why: 'late' });
  t.equal(backoff.isTrial(APP, 'data'), true);
  backoff.asked(APP, 'data', NOW + 3999);
  t.equal(backoff.current(APP, 'data', NOW + 4000), undefined, 'it ends, for one request');
  t.equal(
    backoff.current(APP, 'data', NOW + 4000),
    undefined,
    'which is that which asks, and no other that only looks',
  );
  backoff.asked(APP, 'data', NOW + 4000);
  t.strictSame(backoff.current(APP, 'data', NOW + 4000), { until: NOW + 5000, why: 'late' }, 'and not for the next');
  late(backoff, APP, 1, NOW + 4000);
  t.match(backoff.current(APP, 'data', NOW + 4000), { until: NOW + 12_000 }, 'and doubles with the next one');
  late(backoff, APP, 1, NOW + 12_000);
  t.match(backoff.current(APP, 'data', NOW + 12_000), { until: NOW + 22_000 }, 'up to ten seconds');
  backoff.good(APP, 'data');
  t.equal(backoff.current(APP, 'data', NOW + 12_000), undefined, 'a good answer ends it');
  backoff.asked(APP, 'data', NOW + 12_000);
  t.equal(backoff.current(APP, 'data', NOW + 12_000), undefined, 'for all');
  t.equal(backoff.isTrial(APP, 'data'), false);
  t.equal(backoff.isTrial({ ...APP, client: 'unknown' }, 'data'), false);
  late(backoff, APP, 3, NOW + 30_000);
  t.match(backoff.current(APP, 'data', NOW + 30_000), { until: NOW + 34_000 }, 'and all begins anew');
});

t.test('a good answer in between ends the row', async (t) => {
  const backoff = new PairBackoff({ consecutive: 3, open: 4000, openMax: 60_000 });
  late(backoff, APP, 2);
  backoff.good(APP, 'data');
  late(backoff, APP, 2);
  t.equal(backoff.current(APP, 'data', NOW), undefined);
  backoff.good({ client: 'ann', repository: 'never asked' }, 'data');
  backoff.good({ client: 'unknown', repository: 'app' }, 'data');
  backoff.asked({ client: 'unknown', repository: 'app' }, 'data', NOW);
  backoff.asked({ client: 'ann', repository: 'never asked' }, 'data', NOW);
});

t.test('an upstream that was down, and is back', async (t) => {
  const backoff = new PairBackoff({ consecutive: 3, open: 4000, openMax: 60_000 });
  const limited = { ...APP, client: 'ben' };
  late(backoff, APP, 4);
  backoff.limited(limited, 'data', 60_000, NOW);
  backoff.recovered();
  t.equal(backoff.current(APP, 'data', NOW), undefined, 'the next request may ask it');
  t.equal(backoff.isTrial(APP, 'data'), true, 'as a trial');
  backoff.asked(APP, 'data', NOW);
  t.match(backoff.current(APP, 'data', NOW), { until: NOW + 1000 }, 'one at a time');
  late(backoff, APP, 1);
  t.match(backoff.current(APP, 'data', NOW), { until: NOW + 4000 }, 'if it is still late, all begins anew');
  t.match(backoff.current(limited, 'data', NOW), { until: NOW + 60_000, why: 'limited' }, 'a rate limit stays');
});

t.test('a longer time than ten seconds is kept if it is configured', async (t) => {
  const backoff = new PairBackoff({ consecutive: 1, open: 20_000, openMax: 60_000 });
  late(backoff, APP, 2);
  t.match(backoff.current(APP, 'data', NOW), { until: NOW + 20_000 });
  const short = new PairBackoff({ consecutive: 1, open: 300, openMax: 500 });
  late(short, APP, 2);
  t.match(short.current(APP, 'data', NOW), { until: NOW + 500 }, 'and a shorter one');
});

t.test('a rate limit', async (t) => {
  const backoff = new PairBackoff({ consecutive: 1, open: 1000, openMax: 60_000 });
  backoff.limited(APP, 'data', 60_000, NOW);
  late(backoff, APP, 1);
  backoff.good(APP, 'data');
  t.strictSame(backoff.current(APP, 'data', NOW), { until: NOW + 60_000, why: 'limited' }, 'outlasts a good answer');
  t.equal(backoff.current(APP, 'control', NOW), undefined, 'another class');
  t.equal(backoff.current({ ...APP, client: 'ben' }, 'data', NOW), undefined, 'another client');
  t.equal(backoff.current({ ...APP, repository: 'other' }, 'data', NOW), undefined, 'another repository');
});

t.test('memory is bounded, for each client apart', async (t) => {
  const backoff = new PairBackoff({ consecutive: 1, open: 1000, openMax: 60_000 });
  const repository = (index: number) => ({ client: 'noisy', repository: `r${index}` });
  backoff.limited(APP, 'data', 60_000, NOW);
  for (let index = 0; index < 1000; index += 1) backoff.limited(repository(index), 'data', 60_000, NOW);
  const kept = Array.from({ length: 1000 }, (_, index) => backoff.current(repository(index), 'data', NOW)).filter(
    Boolean,
  );
  t.equal(kept.length, 32);
  t.ok(backoff.current(APP, 'data', NOW), 'the entry of another client stays');
  for (let index = 0; index < 256; index += 1) backoff.limited({ ...APP, client: `c${index}` }, 'data', 60_000, NOW);
  t.notOk(backoff.current(APP, 'data', NOW), 'until there are too many clients');
});
