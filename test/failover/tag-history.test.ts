import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  type Judgement,
  judge,
  MAX_STATES,
  merge,
  noteState,
  type TagHistory,
} from '../../src/failover/tag-history.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

/** A step of a story: what was seen (null: deleted), and its time. */
type Step = [string | null, number];

function told(steps: readonly Step[], history?: TagHistory): TagHistory | undefined {
  return steps.reduce<TagHistory | undefined>((known, [digest, at]) => noteState(known, digest, at), history);
}

t.test('what a history says of a digest', async (t) => {
  const rows: [string, Step[], string, Judgement][] = [
    ['nothing is known', [], 'A', { verdict: 'unrecorded' }],
    ['seen once', [['A', 1]], 'A', { verdict: 'current', current: 'A', confirmedAt: 1 }],
    ['another one', [['A', 1]], 'B', { verdict: 'unknown', current: 'A', confirmedAt: 1 }],
    [
      'seen again',
      [
        ['A', 1],
        ['A', 5],
      ],
      'A',
      { verdict: 'current', current: 'A', confirmedAt: 5 },
    ],
    [
      'moved',
      [
        ['A', 1],
        ['B', 5],
      ],
      'A',
      { verdict: 'stale', current: 'B', confirmedAt: 5, supersededAt: 5 },
    ],
    [
      'moved, and seen again',
      [
        ['A', 1],
        ['B', 5],
        ['B', 9],
      ],
      'A',
      { verdict: 'stale', current: 'B', confirmedAt: 9, supersededAt: 5 },
    ],
    [
      'A -> B -> A, for A',
      [
        ['A', 1],
        ['B', 5],
        ['A', 9],
      ],
      'A',
      { verdict: 'current', current: 'A', confirmedAt: 9 },
    ],
    [
      'A -> B -> A, for B',
      [
        ['A', 1],
        ['B', 5],
        ['A', 9],
      ],
      'B',
      { verdict: 'stale', current: 'A', confirmedAt: 9, supersededAt: 9 },
    ],
    [
      'A -> B -> C, for A',
      [
        ['A', 1],
        ['B', 5],
        ['C', 9],
      ],
      'A',
      { verdict: 'stale', current: 'C', confirmedAt: 9, supersededAt: 5 },
    ],
    [
      'a slow read that began before a push ended',
      [
        ['B', 5],
        ['A', 3],
      ],
      'A',
      { verdict: 'stale', current: 'B', confirmedAt: 5, supersededAt: 5 },
    ],
    [
      'the same, for the pushed one',
      [
        ['B', 5],
        ['A', 3],
      ],
      'B',
      { verdict: 'current', current: 'B', confirmedAt: 5 },
    ],
    [
      'a late read of what is current',
      [
        ['A', 5],
        ['A', 3],
      ],
      'A',
      { verdict: 'current', current: 'A', confirmedAt: 5 },
    ],
    [
      'runs that overlap',
      [
        ['A', 1],
        ['A', 9],
        ['B', 5],
      ],
      'B',
      { verdict: 'stale', current: 'A', confirmedAt: 9, supersededAt: 9 },
    ],
    [
      'deleted',
      [
        ['A', 1],
        [null, 5],
      ],
      'A',
      { verdict: 'stale', deletedAt: 5, supersededAt: 5 },
    ],
    [
      'deleted, and asked again',
      [
        ['A', 1],
        [null, 5],
        [null, 9],
      ],
      'A',
      { verdict: 'stale', deletedAt: 5, supersededAt: 5 },
    ],
    ['deleted, never seen', [[null, 5]], 'A', { verdict: 'stale', deletedAt: 5 }],
    [
      'deleted, for another one',
      [
        ['A', 1],
        [null, 5],
      ],
      'B',
      { verdict: 'stale', deletedAt: 5 },
    ],
    [
      'deleted and pushed again',
      [
        ['A', 1],
        [null, 5],
        ['A', 9],
      ],
      'A',
      { verdict: 'current', current: 'A', confirmedAt: 9 },
    ],
    [
      'deleted and another one pushed',
      [
        ['A', 1],
        [null, 5],
        ['B', 9],
      ],
      'A',
      { verdict: 'stale', current: 'B', confirmedAt: 9, supersededAt: 5 },
    ],
    [
      'a slow read that began before the deletion',
      [
        [null, 5],
        ['A', 3],
      ],
      'A',
      { verdict: 'stale', deletedAt: 5, supersededAt: 5 },
    ],
    [
      'at the same time: deleted wins',
      [
        ['A', 5],
        [null, 5],
      ],
      'A',
      { verdict: 'stale', deletedAt: 5, supersededAt: 5 },
    ],
    [
      'at the same time, the other way round',
      [
        [null, 5],
        ['A', 5],
      ],
      'A',
      { verdict: 'stale', deletedAt: 5, supersededAt: 5 },
    ],
    [
      'two digests at the same time: one of them, always the same',
      [
        ['A', 5],
        ['B', 5],
      ],
      'B',
      { verdict: 'current', current: 'B', confirmedAt: 5 },
    ],
    [
      'the other way round',
      [
        ['B', 5],
        ['A', 5],
      ],
      'B',
      { verdict: 'current', current: 'B', confirmedAt: 5 },
    ],
    [
      'and a later read puts it right',
      [
        ['B', 5],
        ['A', 5],
        ['A', 6],
      ],
      'A',
      { verdict: 'current', current: 'A', confirmedAt: 6 },
    ],
  ];
  for (const [name, steps, digest, expected] of rows) t.strictSame(judge(told(steps), digest), expected, name);
});

t.test('a history is bounded, and what it dropped is unknown, never current', async (t) => {
  const steps = Array.from({ length: MAX_STATES + 3 }, (_, index): Step => [`digest ${index}`, index + 1]);
  const history = told(steps);
  t.equal(history?.length, MAX_STATES);
  t.equal(judge(history, 'digest 2').verdict, 'unknown');
  t.equal(judge(history, 'digest 3').verdict, 'stale');
  t.equal(judge(history, `digest ${MAX_STATES + 2}`).verdict, 'current');
});

t.test('observations change no history that is held elsewhere', async (t) => {
  const before = noteState(undefined, 'A', 1);
  const copy = structuredClone(before);
  told(
    [
      ['A', 2],
      ['B', 3],
      [null, 4],
      ['A', 5],
    ],
    before,
  );
  merge(before, [{ digest: 'C', since: 9, confirmedAt: 9 }]);
  t.strictSame(before, copy);
  t.strictSame(JSON.parse(JSON.stringify(before)), before, 'and it survives JSON');
});

const state = fc.option(fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'), { freq: 6 });
const time = fc.nat(40);
const step: fc.Arbitrary<Step> = fc.tuple(state, time);
/** As it comes from observations; long enough that the bound cuts. */
const history = fc.array(step, { maxLength: 60 }).map((steps) => told(steps) ?? []);
/** As it may come from a node of another mind: runs of any length. */
const foreign = fc.array(fc.tuple(state, time, time), { maxLength: 40 }).map((entries) =>
  merge(
    [],
    entries.map(([digest, a, b]) => ({ digest, since: Math.min(a, b), confirmedAt: Math.max(a, b) })),
  ),
);
const any = fc.oneof(history, foreign);

t.test('of entries of the same time the same one stays on every node', async (t) => {
  const entry = (digest: string | null, since: number) => ({ digest, since, confirmedAt: 9 });
  const rows: [string, TagHistory, TagHistory, TagHistory][] = [
    ['of one digest the one that was seen first', [entry('A', 1)], [entry('A', 5)], [entry('A', 1)]],
    ['a deletion is newer than a digest', [entry(null, 9)], [entry('A', 1)], [entry(null, 9), entry('A', 1)]],
    ['of two digests the later name', [entry('A', 1)], [entry('B', 1)], [entry('B', 1), entry('A', 1)]],
  ];
  for (const [name, one, other, expected] of rows) {
    t.strictSame(merge(one, other), expected, name);
    t.strictSame(merge(other, one), expected, `${name}, the other way round`);
  }
});

t.test('property: merging is commutative, associative and idempotent', async () => {
  fc.assert(
    fc.property(any, any, any, (a, b, c) => {
      assert.deepEqual(merge(a, b), merge(b, a));
      assert.deepEqual(merge(merge(a, b), c), merge(a, merge(b, c)));
      assert.deepEqual(merge(a, a), a);
      assert.deepEqual(merge(merge(a, b), b), merge(a, b));
      assert.deepEqual(merge(a, undefined), a);
      assert.ok(merge(a, b).length <= MAX_STATES);
    }),
    { numRuns: propertyRuns(2000) },
  );
});

/** What decides: each state with its last time. `since` only tells how long, and depends on who looked when. */
const facts = (known: TagHistory | undefined) => known?.map(({ digest, confirmedAt }) => [digest, confirmedAt]);

t.test('property: the order of observations does not matter, nor which node made them', async () => {
  fc.assert(
    fc.property(
      fc
        .array(step, { maxLength: 40 })
        .chain((steps) =>
          fc.tuple(fc.constant(steps), fc.shuffledSubarray(steps, { minLength: steps.length }), fc.nat(steps.length)),
        ),
      ([steps, shuffled, cut]) => {
        const expected = facts(told(steps) ?? []);
        assert.deepEqual(facts(told(shuffled) ?? []), expected);
        assert.deepEqual(facts(merge(told(shuffled.slice(0, cut)), told(shuffled.slice(cut)))), expected);
      },
    ),
    { numRuns: propertyRuns(1000) },
  );
});

interface Write {
  gap: number;
  digest: string | null;
  /** How long until it is acknowledged; undefined: past this node. */
  ack: number | undefined;
}
interface Read {
  begin: number;
  /** From the begin until the registry looks. */
  wait: number;
}

const write: fc.Arbitrary<Write> = fc.record({
  gap: fc.integer({ min: 1, max: 6 }),
  digest: fc.option(fc.constantFrom(...'ABCDE'), { freq: 5 }),
  ack: fc.option(fc.nat(4), { nil: undefined, freq: 3 }),
});
const read: fc.Arbitrary<Read> = fc.record({ begin: fc.nat(120), wait: fc.oneof(fc.nat(3), fc.nat(60)) });

/** What happens at the registry, and what of it is to be seen through the edge. */
function lived(writes: readonly Write[], reads: readonly Read[]): { states: Step[]; seen: Step[] } {
  const states: Step[] = [[null, 0]];
  const seen: Step[] = [];
  let now = 0;
  for (const { gap, digest, ack } of writes) {
    now += gap;
    states.push([digest, now]);
    if (ack === undefined) continue;
    now += ack;
    seen.push([digest, now]);
  }
  for (const { begin, wait } of reads) {
    const found = states.findLast(([, from]) => from <= begin + wait);
    if (found) seen.push([found[0], begin]);
  }
  return { states, seen };
}

/** The last moment at which the tag was at the digest. */
function lastTrue(states: readonly Step[], digest: string): number {
  const index = states.findLastIndex(([one]) => one === digest);
  const next = states[index + 1];
  if (index === -1) return Number.NEGATIVE_INFINITY;
  return next ? next[1] - 1 : Number.POSITIVE_INFINITY;
}

t.test('property: a tag never goes back in time, however slow reads and pushes lie across each other', async () => {
  fc.assert(
    fc.property(
      fc
        .tuple(fc.array(write, { maxLength: 20 }), fc.array(read, { maxLength: 20 }))
        .map(([writes, reads]) => lived(writes, reads))
        .chain(({ states, seen }) => fc.tuple(fc.constant(states), fc.shuffledSubarray(seen))),
      ([states, seen]) => {
        const known = told(seen);
        for (const digest of 'ABCDE') {
          const { verdict } = judge(known, digest);
          const outdated = seen.some(([one, at]) => one !== digest && at > lastTrue(states, digest));
          const noticed = seen.some(([one]) => one === digest);
          if (outdated) assert.notEqual(verdict, 'current');
          if (outdated && noticed) assert.equal(verdict, 'stale');
          if (!noticed) assert.notEqual(verdict, 'current');
        }
      },
    ),
    { numRuns: propertyRuns(3000) },
  );
});

t.test('property: a read that begins after all that went before says what is current', async () => {
  fc.assert(
    fc.property(
      fc.array(write, { minLength: 1, maxLength: 30 }),
      fc.array(read, { maxLength: 20 }),
      (writes, reads) => {
        const { states, seen } = lived(writes, reads);
        const final = states.at(-1)?.[0] ?? null;
        const known = told([...seen, [final, 1000]]);
        for (const digest of 'ABCDE') assert.equal(judge(known, digest).verdict === 'current', digest === final);
      },
    ),
    { numRuns: propertyRuns(1000) },
  );
});
