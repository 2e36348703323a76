import t from 'tap';
import { ConcurrencyLimit } from '../../../src/upstream/health/concurrency-limit.ts';

t.test('slots, then the queue, then nothing', async (t) => {
  const limit = new ConcurrencyLimit(2, 2);
  const { signal } = new AbortController();
  t.ok(limit.tryAcquire('ann'));
  t.ok(await limit.acquire('ann', signal), 'a free slot is taken at once');
  t.notOk(limit.tryAcquire('ann'), 'no third one');
  t.ok(limit.full);
  const order: string[] = [];
  const first = limit.acquire('ann', signal).then((taken) => order.push(`first ${taken}`));
  const second = limit.acquire('ann', signal).then((taken) => order.push(`second ${taken}`));
  t.equal(limit.queued, 2);
  t.notOk(await limit.acquire('ann', signal), 'too many wait');
  limit.release('ann');
  await first;
  t.strictSame(order, ['first true'], 'who waited longest has it');
  t.equal(limit.inUse, 2, 'a slot that changes hands stays taken');
  limit.release('ann');
  await second;
  limit.release('ann');
  limit.release('ann');
  t.match(limit, { inUse: 0, queued: 0, full: false });
});

t.test('a request that is aborted leaves the queue', async (t) => {
  const limit = new ConcurrencyLimit(1, 1);
  limit.tryAcquire('ann');
  const control = new AbortController();
  const waiting = limit.acquire('ann', control.signal);
  control.abort();
  t.notOk(await waiting);
  t.equal(limit.queued, 0);
  t.notOk(await limit.acquire('ann', control.signal), 'aborted before');
  const next = limit.acquire('ann', new AbortController().signal);
  limit.release('ann');
  t.ok(await next);
  t.equal(limit.inUse, 1);
});

/** Takes as many places as the client gets. */
function takeAll(limit: ConcurrencyLimit, client: string): number {
  let taken = 0;
  while (limit.tryAcquire(client)) taken += 1;
  return taken;
}

t.test('clients take their shares, and some place is left for the next one', async (t) => {
  const rows: [places: number, shares: number[]][] = [
    [1, [1, 0]],
    [2, [2, 0]],
    [8, [7, 1, 0]],
    [64, [56, 7, 1, 0]],
    [256, [224, 28, 4, 0]],
  ];
  for (const [places, shares] of rows) {
    const limit = new ConcurrencyLimit(places, 0);
    const clients = shares.map((_, number) => `client ${number}`);
    t.strictSame(
      clients.map((client) => takeAll(limit, client)),
      shares,
      `${places} places`,
    );
  }
});

t.test('a client at its share waits, and another one does not', async (t) => {
  const limit = new ConcurrencyLimit(8, 100);
  const { signal } = new AbortController();
  t.equal(takeAll(limit, 'ann'), 7);
  t.strictSame([limit.full, limit.isFullFor('ann'), limit.isFullFor('bob')], [false, true, false]);
  const waits = limit.acquire('ann', signal);
  t.ok(limit.tryAcquire('bob'));
  t.equal(limit.queued, 1);
  limit.release('ann');
  t.ok(await waits, 'the share is no less than that');
  t.equal(limit.inUse, 8);
});

t.test('of those who wait, the client with the fewest places is first', async (t) => {
  const limit = new ConcurrencyLimit(2, 100);
  const { signal } = new AbortController();
  t.equal(takeAll(limit, 'ann'), 2);
  const order: string[] = [];
  const wait = (client: string, name: string) => limit.acquire(client, signal).then(() => order.push(name));
  const all = [wait('ann', 'ann 1'), wait('ann', 'ann 2'), wait('bob', 'bob 1'), wait('bob', 'bob 2')];
  for (let released = 0; released < 2; released += 1) limit.release('ann');
  await all[2];
  limit.release('bob');
  limit.release('ann');
  await Promise.all(all);
  t.equal(order[0], 'bob 1');
  t.equal(order.length, 4);
});

t.test('a full queue drops the newest request of the client that has the most', async (t) => {
  const limit = new ConcurrencyLimit(1, 3);
  const { signal } = new AbortController();
  limit.tryAcquire('ann');
  const waiting = [1, 2, 3].map(() => limit.acquire('ann', signal));
  t.equal(await limit.acquire('ann', signal), false, 'its own requests do not push each other out');
  const other = limit.acquire('bob', signal);
  t.equal(await waiting[2], false);
  t.equal(limit.queued, 3);
  const third = limit.acquire('cyd', signal);
  t.equal(await waiting[1], false);
  t.equal(await limit.acquire('dan', signal), false, 'no client has more than the others');
  for (const [holder, next] of [
    ['ann', waiting[0]],
    ['ann', other],
    ['bob', third],
  ] as const) {
    limit.release(holder);
    t.ok(await next, 'the others have their turn');
  }
});
