import t from 'tap';
import { REFUSED_EVERY_MS, renewAfter, retryAfter } from '../../src/failover/credential-renewal.ts';

const MINUTE = 60_000;

t.test('credentials are renewed as often as is configured, or ahead of their end', async (t) => {
  const rows: [what: string, everyMs: number, endsInMs: number | undefined, waitMs: number][] = [
    ['no known end', 10 * MINUTE, undefined, 10 * MINUTE],
    ['an end far away', 10 * MINUTE, 12 * 60 * MINUTE, 10 * MINUTE],
    ['a token of Google, of an hour', 60 * MINUTE, 60 * MINUTE, 60 * MINUTE - 225_000],
    ['one that its server will renew in a minute', 60 * MINUTE, 5 * MINUTE, 225_000],
    ['a quarter of a short time ahead', 60 * MINUTE, MINUTE, 45_000],
    ['one that has ended is no loop', 60 * MINUTE, -MINUTE, 5_000],
    ['one that ends at once is none either', 60 * MINUTE, 0, 5_000],
    ['a file that is looked at often', 2_000, MINUTE, 2_000],
  ];
  for (const [what, everyMs, endsInMs, waitMs] of rows) t.equal(renewAfter(everyMs, endsInMs), waitMs, what);
});

t.test('tries that fail come less and less often, up to one a minute', async (t) => {
  t.strictSame([1, 2, 3, 4, 5, 6, 1000].map(retryAfter), [5_000, 10_000, 20_000, 40_000, MINUTE, MINUTE, MINUTE]);
  t.ok(REFUSED_EVERY_MS >= 10_000, 'an upstream that refuses everything causes few runs');
});
