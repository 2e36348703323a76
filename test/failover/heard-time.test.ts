import t from 'tap';
import { heardHistory, heardPushAt, isToldAgain, STEP_MS } from '../../src/failover/heard-time.ts';
import type { TagHistory } from '../../src/failover/tag-history.ts';

const [A, B, C] = ['a', 'b', 'c'] as const;
const seen = (digest: string | null, confirmedAt: number, since = confirmedAt) => ({ digest, since, confirmedAt });

t.test('whether a push is told again', async (t) => {
  const push = (digest: string, at: number) => ({ digest, at });
  const table: [name: string, at: number, known: { digest: string; at: number }[], isKnown: boolean][] = [
    ['no push is known', 105, [], false],
    ['another one is', 105, [push(B, 100)], false],
    ['the same time', 100, [push(A, 100)], true],
    ['earlier', 50, [push(A, 100)], true],
    ['a little later', 1104, [push(A, 100)], true],
    ['much later', 1106, [push(A, 100)], false],
    ['a little later, and another one came before', 110, [push(A, 100), push(B, 90)], true],
    ['a little later, and another one came after', 110, [push(A, 100), push(B, 120)], true],
    ['another one came between', 130, [push(A, 100), push(B, 120)], false],
    ['another one came between, perhaps', 122, [push(A, 100), push(B, 120)], true],
  ];
  for (const [name, at, known, isKnown] of table) t.equal(isToldAgain(A, at - 5, known), isKnown, name);
});

t.test('when a push counts that another edge tells', async (t) => {
  const push = { digest: B, at: 100 };
  const bounds = { earliest: 97, latest: 103 };
  const pushedAt = (digest: string) => ({ [C]: 102, d: 96 })[digest];
  const table: [name: string, mine: TagHistory, at: number][] = [
    ['nothing is known of the tag', [], 100],
    ['it was read long before', [seen(A, 50)], 100],
    ['it was read just before, perhaps', [seen(A, 99)], 100],
    ['it was read at that moment', [seen(A, 100)], 100 + 4 * STEP_MS],
    ['it was read just after, perhaps', [seen(A, 102)], 102 + 2 * STEP_MS],
    ['it was read as late as the push can have been', [seen(A, 103)], 103 + STEP_MS],
    ['it was read after it', [seen(A, 104)], 100],
    ['it was absent just after, perhaps', [seen(null, 102)], 102 + 2 * STEP_MS],
    ['the push was seen already', [seen(B, 102)], 100],
    ['another push came just after', [seen(C, 102)], 100],
    ['another push came before, and was read just after', [seen('d', 102)], 102 + 2 * STEP_MS],
  ];
  for (const [name, mine, at] of table) t.equal(heardPushAt(push, bounds, mine, pushedAt), at, name);
});

t.test('pushes that are all in doubt keep their order', async (t) => {
  const at = (told: number) =>
    heardPushAt({ digest: B, at: told }, { earliest: told - 5, latest: told + 5 }, [seen(A, 102)], () => undefined);
  const told = [97, 98, 100, 102, 104, 107, 108];
  const times = told.map(at);
  t.strictSame(
    times,
    [...new Set(times)].sort((a, b) => a - b),
  );
  t.ok(times.every((time) => time > 102 || time === 97));
});

t.test('what another edge tells of a tag', async (t) => {
  const pushedAt = (digest: string) => ({ [B]: 100, [C]: 90, d: 105 })[digest];
  const before = 100 - STEP_MS;
  const table: [name: string, theirs: TagHistory, mine: TagHistory, told: TagHistory][] = [
    ['read just after this push, perhaps', [seen(A, 102)], [seen(B, 100)], [seen(A, before)]],
    [
      'what the other edge knows to have come after it',
      [seen(null, 102), seen(B, 101)],
      [seen(B, 100)],
      [seen(null, 102), seen(B, 101)],
    ],
    ['read just after this deletion, perhaps', [seen(A, 102)], [seen(null, 100)], [seen(A, before)]],
    [
      'the same, and it was deleted before',
      [seen(A, 102), seen(null, 50)],
      [seen(null, 100)],
      [seen(A, before), seen(null, 50)],
    ],
    [
      'read after a deletion that the other edge knew of',
      [seen(A, 102), seen(null, 101)],
      [seen(null, 100)],
      [seen(A, 102), seen(null, 101)],
    ],
    [
      'deleted just before this read, perhaps',
      [seen(null, 100)],
      [seen(A, 102)],
      [{ ...seen(null, 100), confirmedAt: 102 + STEP_MS }],
    ],
    ['deleted long before this read', [seen(null, 90)], [seen(A, 102)], [seen(null, 90)]],
    ['deleted after this read', [seen(null, 103)], [seen(A, 102)], [seen(null, 103)]],
    [
      'deleted just before a read of who knew of it',
      [seen(null, 100)],
      [seen(A, 102), seen(null, 99)],
      [seen(null, 100)],
    ],
    ['deleted just before this push, which was seen since', [seen(null, 98)], [seen(B, 101)], [seen(null, 98)]],
    ['a push, and nothing is known here', [seen(B, 98)], [], [seen(B, 100, 98)]],
    ['seen for long', [seen(A, 102, 40)], [seen(B, 100)], [seen(A, before, 40)]],
    ['absent just after this push, perhaps', [seen(null, 102)], [seen(B, 100)], [seen(null, before)]],
    ['read before this push', [seen(A, 99)], [seen(B, 100)], [seen(A, 99)]],
    ['read after this push', [seen(A, 106)], [seen(B, 100)], [seen(A, 106)]],
    ['the push was confirmed since, perhaps after that', [seen(A, 102)], [seen(B, 120)], [seen(A, before)]],
    ['no push was last here', [seen(A, 102)], [seen('e', 100)], [seen(A, 102)]],
    ['nothing is known here', [seen(A, 102)], [], [seen(A, 102)]],
    ['a push that is known here to be later', [seen(B, 98)], [seen(A, 99)], [seen(B, 100, 98)]],
    ['a push that was seen since', [seen(B, 130)], [seen(A, 99)], [seen(B, 130)]],
    ['a push that is later by that', [seen(A, 99), seen(B, 98)], [], [seen(B, 100, 98), seen(A, 99)]],
    ['an earlier push, read just after this one, perhaps', [seen(C, 102)], [seen(B, 100)], [seen(C, before)]],
    ['an earlier push, read after this one', [seen(C, 106)], [seen(B, 100)], [seen(C, 106)]],
    ['a later push', [seen('d', 105)], [seen(B, 100)], [seen('d', 105)]],
  ];
  for (const [name, theirs, mine, told] of table) t.strictSame(heardHistory(theirs, mine, 5, pushedAt), told, name);
});
