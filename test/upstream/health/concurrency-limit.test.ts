import t from 'tap';
import { Turnstile } from '../../../src/upstream/health/concurrency-limit.ts';

t.test('places, then turns, then nothing', async (t) => {
  const turnstile = new Turnstile(2, 2);
  const { signal } = new AbortController();
  t.ok(turnstile.enter());
  t.ok(await turnstile.wait(signal), 'a free place is taken at once');
  t.notOk(turnstile.enter(), 'no third one');
  t.ok(turnstile.full);
  const order: string[] = [];
  const first = turnstile.wait(signal).then((taken) => order.push(`first ${taken}`));
  const second = turnstile.wait(signal).then((taken) => order.push(`second ${taken}`));
  t.equal(turnstile.waiting, 2);
  t.notOk(await turnstile.wait(signal), 'too many wait');
  turnstile.leave();
  await first;
  t.strictSame(order, ['first true'], 'who waited longest has it');
  t.equal(turnstile.inUse, 2, 'a place that changes hands stays taken');
  turnstile.leave();
  await second;
  turnstile.leave();
  turnstile.leave();
  t.match(turnstile, { inUse: 0, waiting: 0, full: false });
});

t.test('who gives up leaves the queue to others', async (t) => {
  const turnstile = new Turnstile(1, 1);
  turnstile.enter();
  const control = new AbortController();
  const waiting = turnstile.wait(control.signal);
  control.abort();
  t.notOk(await waiting);
  t.equal(turnstile.waiting, 0);
  t.notOk(await turnstile.wait(control.signal), 'aborted before');
  const next = turnstile.wait(new AbortController().signal);
  turnstile.leave();
  t.ok(await next);
  t.equal(turnstile.inUse, 1);
});
