import t from 'tap';
import { SyncPace } from '../../../src/cli/sync/pace.ts';

t.test('nothing is said of what has only begun', async (t) => {
  const pace = new SyncPace();
  t.equal(pace.rate, undefined);
  pace.sample(0, 0, 0);
  pace.sample(900, 1_000_000, 1);
  t.equal(pace.rate, undefined);
  t.equal(pace.timeFor(5), undefined);
});

t.test('at an even pace', async (t) => {
  const pace = new SyncPace();
  for (let at = 0; at <= 100_000; at += 100) pace.sample(at, at * 1000, at / 2000);
  t.equal(Math.round(pace.rate ?? 0), 1_000_000);
  t.equal(Math.round(pace.timeFor(10) ?? 0), 20_000);
  t.equal(pace.timeFor(0), 0);
});

t.test('what was long ago does not count; nor does a standstill promise anything', async (t) => {
  const pace = new SyncPace();
  for (let at = 0; at <= 60_000; at += 100) pace.sample(at, at * 1000, at / 100);
  for (let at = 60_100; at <= 120_000; at += 100) pace.sample(at, 60_000_000, 600);
  t.equal(pace.rate, 0);
  t.equal(pace.timeFor(1), undefined);
});

t.test('a part that was counted and failed takes nothing back', async (t) => {
  const pace = new SyncPace();
  pace.sample(0, 100, 1.9);
  pace.sample(2000, 100, 1);
  t.equal(pace.rate, 0);
  t.equal(pace.timeFor(1), undefined);
});
