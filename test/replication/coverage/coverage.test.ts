import fc from 'fast-check';
import t from 'tap';
import { monotonicNow } from '../../../src/clock/clock.ts';
import { Coverage } from '../../../src/replication/coverage/coverage.ts';
import { compared } from '../made-view.ts';

t.test('nothing is known at the start, and that is not the same as nothing missing', async (t) => {
  const coverage = new Coverage();
  t.strictSame(coverage.totals(), {
    repositories: 0,
    tags: 0,
    missing: 0,
    stale: 0,
    unknown: 0,
    incomplete: 0,
    ratio: null,
  });
  t.equal(coverage.tagState('app', '1'), 'unknown');
  t.equal(coverage.oldestGapSince(), Number.POSITIVE_INFINITY);
});

t.test('a gap keeps the time since when it is one, and closes when the tag was copied', async (t) => {
  const clock = { now: 1000 };
  const coverage = new Coverage(() => clock.now);
  coverage.recordComparison(compared({ repository: 'app', tags: 4, missing: ['1'], stale: ['2'] }));
  clock.now = 5000;
  coverage.recordComparison(compared({ repository: 'app', tags: 4, missing: ['1', '3'], stale: [] }));
  t.equal(coverage.oldestGapSince(), 1000);
  const noPull = { pulledAt: null, failure: null };
  t.strictSame(coverage.gaps(9, 9), [
    {
      repository: 'app',
      references: 4,
      missing: 2,
      stale: 0,
      unknown: 0,
      gaps: [
        { reference: '1', state: 'missing', since: '1970-01-01T00:00:01.000Z', ...noPull },
        { reference: '3', state: 'missing', since: '1970-01-01T00:00:05.000Z', ...noPull },
      ],
    },
  ]);
  t.strictSame(
    coverage.gaps(9, 1)[0]?.gaps.map(({ reference }) => reference),
    ['1'],
    'the oldest first',
  );
  t.equal(coverage.totals().ratio, 0.5);
  t.strictSame(
    ['1', '2', '3', '4'].map((tag) => coverage.tagState('app', tag)),
    ['missing', 'covered', 'missing', 'covered'],
  );
  coverage.markCopied('app', '1', 1);
  t.equal(coverage.oldestGapSince(), 5000);
  coverage.markDeleted('app', '3');
  t.strictSame(coverage.totals(), {
    repositories: 1,
    tags: 3,
    missing: 0,
    stale: 0,
    unknown: 0,
    incomplete: 0,
    ratio: 1,
  });
  t.strictSame(coverage.gaps(9, 9), []);
});

t.test('a push is unknown until it was copied, and neither missing nor stale', async (t) => {
  const coverage = new Coverage(() => 5000);
  coverage.markChanged('app', '1');
  t.equal(coverage.tagState('app', '1'), 'unknown');
  t.match(coverage.totals(), { tags: 1, missing: 0, stale: 0, unknown: 1, ratio: 0 });
  t.equal(coverage.oldestGapSince('unknown'), 5000);
  t.equal(coverage.oldestGapSince('missing'), Number.POSITIVE_INFINITY);
  coverage.markCopied('app', '1', 1);
  t.match(coverage.totals(), { tags: 1, unknown: 0, ratio: 1 });
});

t.test('new tags are counted, and only once', async (t) => {
  const coverage = new Coverage(() => 5000);
  coverage.recordComparison(compared({ repository: 'app', tags: 2, missing: ['2'], stale: [], comparedAt: 1000 }));
  for (let number = 1; number <= 12; number += 1) {
    coverage.markChanged('app', `v${number}`, true);
    if (number > 1) coverage.markCopied('app', `v${number}`, 1);
  }
  coverage.markChanged('app', 'v1', true);
  coverage.markChanged('app', '1');
  t.match(coverage.totals(), { tags: 14, missing: 1, unknown: 2, ratio: 11 / 14 });
  coverage.markDeleted('app', 'v2');
  coverage.markDeleted('app', 'v1');
  coverage.markDeleted('app', '2');
  t.match(coverage.totals(), { tags: 11, missing: 0, unknown: 1 });
  coverage.recordComparison(compared({ repository: 'app', tags: 11, missing: [], stale: [], comparedAt: 6000 }));
  t.match(coverage.totals(), { tags: 11, unknown: 0, ratio: 1 });
});

t.test('names of new tags have a bound too', async (t) => {
  const coverage = new Coverage(() => 5000, 3);
  for (const tag of ['1', '2', '3', '4']) coverage.markChanged('app', tag, true);
  t.match(coverage.totals(), { tags: 4, unknown: 4 });
  for (const tag of ['1', '2', '3', '4']) coverage.markCopied('app', tag, 1);
  t.match(coverage.totals(), { unknown: 0, ratio: 1 });
});

t.test('a repository that is pushed to first while others are listed stays', async (t) => {
  const clock = { now: 1000 };
  const coverage = new Coverage(() => clock.now);
  coverage.recordComparison(compared({ repository: 'old', tags: 1, missing: [], stale: [] }));
  clock.now = 3000;
  coverage.markChanged('new', '1');
  coverage.markCopied('new', '1', 1);
  coverage.retainOnly(new Set(['listed']), 2000);
  t.equal(coverage.has('old'), false);
  t.equal(coverage.tagState('new', '1'), 'covered');
});

t.test('gaps beyond the limit are counted, and not taken for covered', async (t) => {
  const coverage = new Coverage(monotonicNow, 2);
  coverage.recordComparison(compared({ repository: 'a', tags: 3, missing: ['1', '2', '3'], stale: [] }));
  coverage.recordComparison(compared({ repository: 'b', tags: 2, missing: [], stale: ['1'] }));
  coverage.recordComparison(compared({ repository: 'c', tags: 1, missing: [], stale: [] }));
  t.match(coverage.totals(), { tags: 6, missing: 3, stale: 1 });
  t.equal(coverage.tagState('a', '3'), 'unknown');
  t.equal(coverage.tagState('b', '1'), 'unknown');
  t.equal(coverage.tagState('c', '1'), 'covered');
  for (const tag of ['1', '2', '3']) coverage.markCopied('a', tag, 1);
  t.match(coverage.totals(), { missing: 0 });
  coverage.recordComparison(compared({ repository: 'b', tags: 2, missing: [], stale: ['1'] }));
  t.equal(coverage.tagState('b', '1'), 'stale', 'there is room again');
});

t.test('the worst repositories come first, and those that are no more go', async (t) => {
  const coverage = new Coverage();
  coverage.recordComparison(compared({ repository: 'a', tags: 5, missing: ['1'], stale: [] }));
  coverage.recordComparison(compared({ repository: 'b', tags: 5, missing: ['1', '2'], stale: ['3'] }));
  coverage.recordComparison(compared({ repository: 'c', tags: 5, missing: [], stale: [] }));
  t.strictSame(
    coverage.gaps(9, 9).map(({ repository }) => repository),
    ['b', 'a'],
  );
  t.equal(coverage.gaps(1, 9).length, 1);
  t.match(coverage.totals(), { incomplete: 2 });
  coverage.retainOnly(new Set(['a', 'c']), monotonicNow() + 1);
  t.match(coverage.totals(), { repositories: 2, tags: 10, missing: 1 });
  coverage.recordComparison(compared({ repository: 'a', tags: 0, missing: [], stale: [] }));
  t.match(coverage.totals(), { repositories: 1, missing: 0 });
});

const NAMES = ['a', 'b'];
const TAGS = ['1', '2', '3'];

t.test('whatever happens, the figures agree with the states of the tags', async () => {
  const step = fc.record({
    what: fc.constantFrom(
      ...['recordComparison', 'recordLists', 'markCopied', 'markChanged', 'markMissing', 'markDeleted', 'retainOnly'],
    ),
    repository: fc.constantFrom(...NAMES),
    tag: fc.constantFrom(...TAGS),
    missing: fc.subarray(TAGS),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const coverage = new Coverage();
      for (const { what, repository, tag, missing } of steps) {
        const stale = TAGS.filter((name) => !missing.includes(name)).slice(0, 1);
        if (what === 'recordComparison')
          coverage.recordComparison(compared({ repository, tags: TAGS.length, missing, stale }));
        else if (what === 'retainOnly') coverage.retainOnly(new Set([repository]), Number.POSITIVE_INFINITY);
        else if (what === 'recordLists')
          coverage.recordLists({ ...compared({ repository, tags: 0, missing, stale: [] }), tags: new Set(TAGS) });
        else if (what === 'markMissing') coverage.markMissing(repository, tag, missing.includes(tag));
        else if (what === 'markChanged') coverage.markChanged(repository, tag, missing.includes(tag));
        else coverage[what as 'markCopied' | 'markDeleted'](repository, tag, 1);
      }
      const states = NAMES.flatMap((name) => TAGS.map((tag) => coverage.tagState(name, tag)));
      const { missing, stale, unknown, tags, ratio } = coverage.totals();
      const named = coverage.gaps(9, 9).flatMap(({ gaps }) => gaps);
      return (
        missing === states.filter((state) => state === 'missing').length &&
        stale === states.filter((state) => state === 'stale').length &&
        named.length === missing + stale + unknown &&
        missing + stale + unknown <= tags &&
        (ratio === null || (ratio >= 0 && ratio <= 1)) &&
        (coverage.oldestGapSince() === Number.POSITIVE_INFINITY) === (named.length === 0)
      );
    }),
  );
});

t.test('a tag that changed after it was compared stays a gap', (t) => {
  const clock = { now: 1000 };
  const coverage = new Coverage(() => clock.now);
  coverage.recordComparison(compared({ repository: 'app', tags: 2, missing: ['old'], stale: [] }));
  clock.now = 2000;
  coverage.markChanged('app', 'new');
  clock.now = 3000;
  coverage.recordComparison(compared({ repository: 'app', tags: 2, missing: [], stale: [], comparedAt: 1500 }));
  t.match(coverage.totals(), { tags: 2, unknown: 1, missing: 0 });
  t.equal(coverage.tagState('app', 'new'), 'unknown');
  t.equal(coverage.gapSince('app', 'new'), 2000);
  coverage.recordComparison(compared({ repository: 'app', tags: 0, missing: [], stale: [], comparedAt: 1500 }));
  t.match(coverage.totals(), { tags: 1, unknown: 1 }, 'its first tag came meanwhile');
  coverage.recordComparison(compared({ repository: 'app', tags: 1, missing: [], stale: [], comparedAt: 2500 }));
  t.match(coverage.totals(), { tags: 1, unknown: 0 });
  t.end();
});

t.test('a tag that was not compared is unknown, even in a covered repository', (t) => {
  const coverage = new Coverage();
  coverage.markChanged('pushed', 'new');
  coverage.markCopied('pushed', 'new', 10);
  t.equal(coverage.tagState('pushed', 'new', 5), 'covered');
  t.equal(coverage.tagState('pushed', 'old'), 'unknown', 'no comparison yet');
  t.equal(coverage.tagState('pushed', 'new', 11), 'unknown', 'moved since it was copied');
  coverage.recordComparison(compared({ repository: 'app', tags: 2, missing: ['2'], stale: [], ledgerTime: 20 }));
  t.equal(coverage.tagState('app', '1', 20), 'covered');
  t.equal(coverage.tagState('app', '3', 21), 'unknown', 'pushed since, without a hint');
  t.equal(coverage.tagState('app', '2', 21), 'missing');
  coverage.markCopied('app', '2', 30);
  t.equal(coverage.tagState('app', '2', 21), 'covered');
  coverage.recordComparison(compared({ repository: 'app', tags: 3, missing: [], stale: [], ledgerTime: 40 }));
  t.equal(coverage.tagState('app', '3', 21), 'covered');
  t.end();
});

t.test('lists tell what is missing, and no digests', (t) => {
  const clock = { now: 1000 };
  const coverage = new Coverage(() => clock.now);
  coverage.recordComparison(
    compared({ repository: 'app', tags: 4, missing: ['back', 'gone'], stale: ['old', 'lost'], comparedAt: 500 }),
  );
  t.equal(coverage.listed('app'), 4);
  clock.now = 2000;
  coverage.markChanged('app', 'pushed', true);
  coverage.recordLists({
    ...{ repository: 'app', missing: ['lost', 'past', 'pushed'], comparedAt: 3000 },
    tags: new Set(['back', 'old', 'lost', 'past', 'pushed', 'same']),
  });
  const states = ['back', 'gone', 'old', 'lost', 'past', 'pushed', 'same'].map((tag) => coverage.tagState('app', tag));
  t.strictSame(states, ['unknown', 'covered', 'stale', 'missing', 'missing', 'unknown', 'covered']);
  t.match(coverage.totals(), { tags: 6, missing: 2, stale: 1, unknown: 2 });
  t.equal(coverage.gapSince('app', 'lost'), 1000, 'since it is a gap');
  t.strictSame(coverage.unknownTags('app').toSorted(), ['back', 'pushed']);
  t.equal(coverage.tagState('app', 'same', 2500), 'unknown', 'a list does not show that a tag moved');
  t.end();
});
