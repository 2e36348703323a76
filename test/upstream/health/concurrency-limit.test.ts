import t from 'tap';
import { ConcurrencyLimit } from '../../../src/upstream/health/concurrency-limit.ts';

t.test('slots, then the queue, then nothing', async (t) => {
  const limit = new ConcurrencyLimit(2, 2);
  const { signal } = new AbortController();
  t.ok(limit.tryAcquire());
  t.ok(await limit.acquire(signal), 'a free slot is taken at once');
  t.notOk(limit.tryAcquire(), 'no third one');
  t.ok(limit.full);
  const order: string[] = [];
  const first = limit.acquire(signal).then((taken) => order.push(`first ${taken}`));
  const second = limit.acquire(signal).then((taken) => order.push(`second ${taken}`));
  t.equal(limit.queued, 2);
  t.notOk(await limit.acquire(signal), 'too many wait');
  limit.release();
  await first;
  t.strictSame(order, ['first true'], 'who waited longest has it');
  t.equal(limit.inUse, 2, 'a slot that changes hands stays taken');
  limit.release();
  await second;
  limit.release();
  limit.release();
  t.match(limit, { inUse: 0, queued: 0, full: false });
});

t.test('who gives up leaves the queue to others', async (t) => {
  const limit = new ConcurrencyLimit(1, 1);
  limit.tryAcquire();
  const control = new AbortController();
  const waiting = limit.acquire(control.signal);
  control.abort();
  t.notOk(await waiting);
  t.equal(limit.queued, 0);
  t.notOk(await limit.acquire(control.signal), 'aborted before');
  const next = limit.acquire(new AbortController().signal);
  limit.release();
  t.ok(await next);
  t.equal(limit.inUse, 1);
});
