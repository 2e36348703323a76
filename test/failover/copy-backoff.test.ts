import t from 'tap';
import { CopyBackoff } from '../../src/failover/copy-backoff.ts';

const NOW = 1_000_000;

/** Fails a copy of each repository, in this order. */
function failed(backoff: CopyBackoff, repositories: readonly string[], retryAfterMs = 0, now = NOW): void {
  for (const repository of repositories) backoff.failed(repository, retryAfterMs, now);
}

t.test('failures of few repositories say nothing about the others', async (t) => {
  for (const repositories of [['a'], ['a', 'a', 'a', 'a', 'a', 'a'], ['a', 'b', 'a', 'b']]) {
    const backoff = new CopyBackoff();
    failed(backoff, repositories);
    t.equal(backoff.backingOffSince, undefined, repositories.join());
    t.equal(backoff.mayStart('c', false, NOW), true);
  }
});

t.test(
  'failures of three repositories, and no success, are the upstream: one copy at a time shows when it is well',
  async (t) => {
    const backoff = new CopyBackoff();
    failed(backoff, ['a', 'b', 'c', 'd']);
    t.equal(backoff.backingOffSince, NOW);
    t.equal(backoff.mayStart('e', false, NOW + 1999), false);
    t.equal(backoff.mayStart('e', true, NOW), true, 'a push is tried once');
    backoff.started(true, NOW);
    t.equal(backoff.mayStart('e', false, NOW + 2000), true);
    backoff.started(false, NOW + 2000);
    t.equal(backoff.mayStart('f', false, NOW + 3999), false, 'one at a time');
    failed(backoff, ['e'], 0, NOW + 2100);
    t.equal(backoff.backingOffSince, NOW);
    t.equal(backoff.succeeded(), NOW);
    t.equal(backoff.mayStart('f', false, NOW + 2100), true);
    t.equal(backoff.succeeded(), undefined);
    failed(backoff, ['a', 'b'], 0, NOW + 2200);
    t.equal(backoff.backingOffSince, undefined, 'what failed before the success says nothing');
  },
);

t.test('a success in between, or ten minutes, keep failures apart', async (t) => {
  const backoff = new CopyBackoff();
  failed(backoff, ['a', 'b']);
  backoff.succeeded();
  failed(backoff, ['c']);
  t.equal(backoff.backingOffSince, undefined);
  failed(backoff, ['d', 'e'], 0, NOW + 600_000);
  t.equal(backoff.backingOffSince, undefined);
});

t.test(
  'a pause that a repository is asked for is kept, and the others are copied one at a time once three are asked',
  async (t) => {
    const backoff = new CopyBackoff();
    failed(backoff, ['a', 'a', 'a'], 5000);
    failed(backoff, ['b'], 7000);
    t.equal(backoff.mayStart('a', true, NOW + 4999), false, 'for pushes too');
    t.equal(backoff.mayStart('a', false, NOW + 5000), true);
    t.equal(backoff.mayStart('c', false, NOW), true);
    failed(backoff, ['c'], 3000);
    t.equal(backoff.mayStart('d', true, NOW), true, 'a push is tried once');
    t.equal(backoff.mayStart('d', false, NOW + 1999), false);
    t.equal(backoff.mayStart('d', false, NOW + 2000), true);
    t.equal(backoff.mayStart('b', true, NOW + 6999), false);
  },
);

t.test('rate limits of a thousand repositories are remembered', async (t) => {
  const backoff = new CopyBackoff();
  for (let number = 0; number <= 1000; number += 1) failed(backoff, [`r${number}`], 1e6);
  const later = NOW + 5000;
  t.equal(backoff.mayStart('r0', true, later), true);
  t.equal(backoff.mayStart('r1', true, later), false);
});
