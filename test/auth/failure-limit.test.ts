import t from 'tap';
import { FailureLimit } from '../../src/auth/failure-limit.ts';

t.test('so many at once, then one in a while', async (t) => {
  let now = 1_000_000;
  const limit = new FailureLimit(3, 1000, () => now);
  const wait = () => limit.waitMs(['a']);
  t.equal(wait(), 0);
  for (let failure = 0; failure < 3; failure += 1) {
    t.equal(wait(), 0, `failure ${failure}`);
    limit.recordFailures(['a']);
  }
  t.equal(wait(), 1000);
  now += 400;
  t.equal(Math.round(wait()), 600);
  now += 600;
  t.equal(wait(), 0);
  limit.recordFailures(['a']);
  t.equal(wait(), 1000);
  now += 3000;
  limit.recordFailures(['a']);
  t.equal(wait(), 0, 'the others are forgotten');
});

t.test('any key that is full counts, and no other', async (t) => {
  const limit = new FailureLimit(2, 1000, () => 0);
  limit.recordFailures(['a', 'u']);
  limit.recordFailures(['b', 'u']);
  t.equal(limit.waitMs(['u']), 1000);
  t.equal(limit.waitMs(['c', 'u']), 1000);
  t.equal(limit.waitMs(['a']), 0);
  t.equal(limit.waitMs(['c']), 0);
  t.equal(limit.waitMs([]), 0);
});

t.test('a clock that goes back locks nobody out for longer', async (t) => {
  let now = 10_000_000;
  const limit = new FailureLimit(3, 1000, () => now);
  limit.recordFailures(['a']);
  now -= 3_600_000;
  t.equal(limit.waitMs(['a']), 0);
});

t.test('it stays bounded', async (t) => {
  const limit = new FailureLimit(1, 1000, () => 0);
  for (let key = 0; key <= 10_000; key += 1) limit.recordFailures([`k${key}`]);
  t.equal(limit.waitMs(['k0']), 0, 'the oldest is forgotten');
  t.equal(limit.waitMs(['k10000']), 1000);
});

t.test('names that somebody makes up push out no address, no user and nobody else', async (t) => {
  const limit = new FailureLimit(1, 1000, () => 0);
  limit.recordFailures(['a 192.0.2.1', 'u ann', 'h 192.0.2.1']);
  for (let name = 0; name <= 10_000; name += 1) limit.recordFailures([`p 192.0.2.9 ${name}`]);
  for (const key of ['a 192.0.2.1', 'u ann', 'h 192.0.2.1']) t.equal(limit.waitMs([key]), 1000, key);
});
