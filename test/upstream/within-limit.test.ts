import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { withinLimit } from '../../src/upstream/within-limit.ts';

/** The timers of probes keep no process alive. */
function stayAlive(t: Test): void {
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
}

/** Keeps the event loop from turning, as garbage collection or other processes do. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

t.test('an answer in time, a late one, and an error', async (t) => {
  stayAlive(t);
  t.equal(await withinLimit(delay(5, 'answer'), 5000), 'answer');
  const never = Promise.withResolvers<string>();
  t.equal(await withinLimit(never.promise, 20), 'late');
  await t.rejects(withinLimit(Promise.reject(new Error('reset')), 5000), /reset/);
});

t.test('time in which the event loop stood still does not count for a probe', async (t) => {
  stayAlive(t);
  const began = performance.now();
  // The answer comes 150 ms after the event loop turns again, and long after the limit.
  const answer = delay(20).then(() => {
    block(600);
    return delay(150, 'answer');
  });
  t.equal(await withinLimit(answer, 400), 'answer');
  t.ok(performance.now() - began > 750);
});

t.test('a standstill that is longer than any limit does not count either', async (t) => {
  stayAlive(t);
  // The answer came while the event loop stood still, or comes after it in good time.
  for (const after of [0, 100]) {
    const answer = delay(20).then(() => {
      block(1500);
      return delay(after, 'answer');
    });
    t.equal(await withinLimit(answer, 300), 'answer', `${after} ms after`);
  }
});

t.test('a silent upstream fails its probe even if the edge is busy', async (t) => {
  stayAlive(t);
  const busy = setInterval(() => block(60), 1);
  t.teardown(() => clearInterval(busy));
  t.equal(await withinLimit(new Promise<string>(() => undefined), 200), 'late');
});
