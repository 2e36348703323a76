import fc from 'fast-check';
import t from 'tap';
import { Coverage } from '../../../src/replication/coverage/coverage.ts';

t.test('nothing is known at the start, and that is not the same as nothing missing', async (t) => {
  const coverage = new Coverage();
  t.strictSame(coverage.sum(), { repositories: 0, tags: 0, missing: 0, stale: 0, incomplete: 0, ratio: undefined });
  t.equal(coverage.stateOf('app', '1'), 'unknown');
  t.equal(coverage.oldest, undefined);
});

t.test('a gap keeps the time since when it is one, and closes when the tag was copied', async (t) => {
  const clock = { now: 1000 };
  const coverage = new Coverage(() => clock.now);
  coverage.found({ repository: 'app', tags: 4, missing: ['1'], stale: ['2'] });
  clock.now = 5000;
  coverage.found({ repository: 'app', tags: 4, missing: ['1', '3'], stale: [] });
  t.equal(coverage.oldest, 1000);
  t.strictSame(coverage.gaps(9), [
    {
      repository: 'app',
      tags: 4,
      missing: 2,
      stale: 0,
      gaps: [
        { tag: '1', state: 'missing', since: 1000 },
        { tag: '3', state: 'missing', since: 5000 },
      ],
    },
  ]);
  t.equal(coverage.sum().ratio, 0.5);
  t.strictSame(
    ['1', '2', '3', '4'].map((tag) => coverage.stateOf('app', tag)),
    ['missing', 'covered', 'missing', 'covered'],
  );
  coverage.copied('app', '1', 1);
  t.equal(coverage.oldest, 5000);
  coverage.gone('app', '3');
  t.strictSame(coverage.sum(), { repositories: 1, tags: 3, missing: 0, stale: 0, incomplete: 0, ratio: 1 });
  t.strictSame(coverage.gaps(9), []);
});

t.test('a push is a gap until it was copied', async (t) => {
  const coverage = new Coverage();
  coverage.changed('app', '1');
  t.equal(coverage.stateOf('app', '1'), 'stale');
  t.match(coverage.sum(), { tags: 1, stale: 1, ratio: 0 });
  coverage.copied('app', '1', 1);
  t.match(coverage.sum(), { tags: 1, stale: 0, ratio: 1 });
});

t.test('a repository that is pushed to first while others are listed stays', async (t) => {
  const clock = { now: 1000 };
  const coverage = new Coverage(() => clock.now);
  coverage.found({ repository: 'old', tags: 1, missing: [], stale: [] });
  clock.now = 3000;
  coverage.changed('new', '1');
  coverage.copied('new', '1', 1);
  coverage.keepOnly(new Set(['listed']), 2000);
  t.equal(coverage.has('old'), false);
  t.equal(coverage.stateOf('new', '1'), 'covered');
});

t.test('what there is no room to name is counted, and not taken for covered', async (t) => {
  const coverage = new Coverage(Date.now, 2);
  coverage.found({ repository: 'a', tags: 3, missing: ['1', '2', '3'], stale: [] });
  coverage.found({ repository: 'b', tags: 2, missing: [], stale: ['1'] });
  coverage.found({ repository: 'c', tags: 1, missing: [], stale: [] });
  t.match(coverage.sum(), { tags: 6, missing: 3, stale: 1 });
  t.equal(coverage.stateOf('a', '3'), 'unknown');
  t.equal(coverage.stateOf('b', '1'), 'unknown');
  t.equal(coverage.stateOf('c', '1'), 'covered');
  for (const tag of ['1', '2', '3']) coverage.copied('a', tag, 1);
  t.match(coverage.sum(), { missing: 0 });
  coverage.found({ repository: 'b', tags: 2, missing: [], stale: ['1'] });
  t.equal(coverage.stateOf('b', '1'), 'stale', 'there is room again');
});

t.test('the worst repositories come first, and those that are no more go', async (t) => {
  const coverage = new Coverage();
  coverage.found({ repository: 'a', tags: 5, missing: ['1'], stale: [] });
  coverage.found({ repository: 'b', tags: 5, missing: ['1', '2'], stale: ['3'] });
  coverage.found({ repository: 'c', tags: 5, missing: [], stale: [] });
  t.strictSame(
    coverage.gaps(9).map(({ repository }) => repository),
    ['b', 'a'],
  );
  t.equal(coverage.gaps(1).length, 1);
  t.match(coverage.sum(), { incomplete: 2 });
  coverage.keepOnly(new Set(['a', 'c']), Date.now() + 1);
  t.match(coverage.sum(), { repositories: 2, tags: 10, missing: 1 });
  coverage.found({ repository: 'a', tags: 0, missing: [], stale: [] });
  t.match(coverage.sum(), { repositories: 1, missing: 0 });
});

const NAMES = ['a', 'b'];
const TAGS = ['1', '2', '3'];

t.test('whatever happens, the figures agree with the states of the tags', async () => {
  const step = fc.record({
    what: fc.constantFrom('found', 'copied', 'changed', 'gone', 'keepOnly'),
    repository: fc.constantFrom(...NAMES),
    tag: fc.constantFrom(...TAGS),
    missing: fc.subarray(TAGS),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const coverage = new Coverage();
      for (const { what, repository, tag, missing } of steps) {
        const stale = TAGS.filter((name) => !missing.includes(name)).slice(0, 1);
        if (what === 'found') coverage.found({ repository, tags: TAGS.length, missing, stale });
        else if (what === 'keepOnly') coverage.keepOnly(new Set([repository]), Number.POSITIVE_INFINITY);
        else coverage[what as 'copied' | 'changed' | 'gone'](repository, tag, 1);
      }
      const states = NAMES.flatMap((name) => TAGS.map((tag) => coverage.stateOf(name, tag)));
      const { missing, stale, tags, ratio } = coverage.sum();
      const named = coverage.gaps(9).flatMap(({ gaps }) => gaps);
      return (
        missing === states.filter((state) => state === 'missing').length &&
        stale === states.filter((state) => state === 'stale').length &&
        named.length === missing + stale &&
        missing + stale <= tags &&
        (ratio === undefined || (ratio >= 0 && ratio <= 1)) &&
        (coverage.oldest === undefined) === (named.length === 0)
      );
    }),
  );
});

t.test('what changed after it was looked at stays a gap, though that is told later', (t) => {
  const clock = { now: 1000 };
  const coverage = new Coverage(() => clock.now);
  coverage.found({ repository: 'app', tags: 2, missing: ['old'], stale: [] });
  clock.now = 2000;
  coverage.changed('app', 'new');
  clock.now = 3000;
  coverage.found({ repository: 'app', tags: 2, missing: [], stale: [], lookedAt: 1500 });
  t.match(coverage.sum(), { tags: 2, stale: 1, missing: 0 });
  t.equal(coverage.stateOf('app', 'new'), 'stale');
  t.equal(coverage.sinceOf('app', 'new'), 2000);
  coverage.found({ repository: 'app', tags: 0, missing: [], stale: [], lookedAt: 1500 });
  t.match(coverage.sum(), { tags: 1, stale: 1 }, 'its first tag came meanwhile');
  coverage.found({ repository: 'app', tags: 1, missing: [], stale: [], lookedAt: 2500 });
  t.match(coverage.sum(), { tags: 1, stale: 0 });
  t.end();
});

t.test('what nobody has looked at is unknown, however well the rest of its repository is', (t) => {
  const coverage = new Coverage();
  coverage.changed('pushed', 'new');
  coverage.copied('pushed', 'new', 10);
  t.equal(coverage.stateOf('pushed', 'new', 5), 'covered');
  t.equal(coverage.stateOf('pushed', 'old'), 'unknown', 'no comparison yet');
  t.equal(coverage.stateOf('pushed', 'new', 11), 'unknown', 'moved since it was copied');
  coverage.found({ repository: 'app', tags: 2, missing: ['2'], stale: [], at: 20 });
  t.equal(coverage.stateOf('app', '1', 20), 'covered');
  t.equal(coverage.stateOf('app', '3', 21), 'unknown', 'pushed since, and nobody told');
  t.equal(coverage.stateOf('app', '2', 21), 'missing');
  coverage.copied('app', '2', 30);
  t.equal(coverage.stateOf('app', '2', 21), 'covered');
  coverage.found({ repository: 'app', tags: 3, missing: [], stale: [], at: 40 });
  t.equal(coverage.stateOf('app', '3', 21), 'covered');
  t.end();
});
