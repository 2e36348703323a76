import t from 'tap';
import { BandwidthLimit } from '../../../src/replication/copy/bandwidth-limit.ts';
import { stayAlive } from '../../helpers/stay-alive.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

const never = new AbortController().signal;
stayAlive(t);

t.test('no bound', async (t) => {
  const free = new BandwidthLimit(0);
  let passed = 0;
  for (let piece = 0; piece < 1000; piece += 1) free.acquire(1e9, never).then(() => (passed += 1), t.fail);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(passed, 1000, 'no piece waits for a timer');
});

t.test('all that share it keep to the rate together', async (t) => {
  const shared = new BandwidthLimit(1_000_000);
  const began = performance.now();
  await Promise.all(
    [1, 2, 3, 4].map(async () => {
      for (let piece = 0; piece < 10; piece += 1) await shared.acquire(10_000, never);
    }),
  );
  const took = performance.now() - began;
  // 400,000 bytes, of which what a tenth of a second lets pass may go at once.
  t.ok(took >= 290, `${took.toFixed(0)} ms`);
});

t.test('after a pause only a burst passes at once', async (t) => {
  const shared = new BandwidthLimit(100_000);
  await shared.acquire(5000, never);
  await new Promise((resolve) => setTimeout(resolve, 400));
  const began = performance.now();
  for (let piece = 0; piece < 4; piece += 1) await shared.acquire(5000, never);
  t.ok(performance.now() - began >= 90, 'twice what a tenth of a second lets pass');
});

t.test('an aborted transfer does not wait', async (t) => {
  const abort = new AbortController();
  const waiting = new BandwidthLimit(1).acquire(1e6, abort.signal);
  abort.abort(new Error('enough'));
  await t.rejects(waiting, { name: 'AbortError' });
});

t.test('the time of day does not matter', async (t) => {
  const shared = new BandwidthLimit(1_000_000);
  await shared.acquire(1000, never);
  const real = Date.now;
  t.teardown(() => {
    Date.now = real;
  });
  Date.now = () => real() - 3_600_000;
  const began = performance.now();
  await shared.acquire(1000, never);
  t.ok(performance.now() - began < timeLimit(1000));
});
