import t from 'tap';
import { DeletionSightings } from '../../../src/replication/compare/deletion-sightings.ts';

const A = 'library/app';

function sightings(max?: number) {
  const lastSeen = new Map<string, number>();
  const made = new DeletionSightings({
    lastSeen: (repository, tag) => lastSeen.get(`${repository}:${tag}`),
    ...(max === undefined ? {} : { max }),
  });
  let at = 0;
  /** One comparison. */
  const compare = (found: Record<string, readonly string[]>) => {
    at += 1000;
    const missing = Object.entries(found).map(([repository, tags]) => ({ repository, tags }));
    const { confirmed, unconfirmed } = made.confirm(missing, at);
    const names = confirmed.flatMap(({ repository, tags }) => tags.map((tag) => `${repository}:${tag}`));
    return { names, unconfirmed };
  };
  const seen = (name: string, when = at + 500) => lastSeen.set(name, when);
  return { made, compare, seen };
}

t.test('a second comparison confirms, the first one never', async (t) => {
  const { compare } = sightings();
  t.strictSame(compare({ [A]: ['1', '2'] }), { names: [], unconfirmed: 2 });
  t.strictSame(compare({ [A]: ['1', '2', '3'] }), { names: [`${A}:1`, `${A}:2`], unconfirmed: 1 });
  t.strictSame(compare({ [A]: ['1', '3'] }), { names: [`${A}:1`, `${A}:3`], unconfirmed: 0 }, 'one was refused');
});

t.test('what was there in between is seen deleted for the first time again', async (t) => {
  const { made, compare, seen } = sightings();
  compare({ [A]: ['listed', 'pushed', 'hinted', 'gone'] });
  compare({ [A]: ['pushed', 'hinted', 'gone'] });
  compare({ [A]: [] });
  t.strictSame(compare({ [A]: ['listed', 'pushed', 'hinted', 'gone'] }).names, [], 'a comparison saw them');
  seen(`${A}:pushed`);
  made.forget(A, 'hinted');
  made.forget(A, 'never');
  made.forget('library/none', 'hinted');
  t.strictSame(compare({ [A]: ['listed', 'pushed', 'hinted', 'gone'] }), {
    names: [`${A}:listed`, `${A}:gone`],
    unconfirmed: 2,
  });
  t.strictSame(compare({ [A]: ['pushed', 'hinted'] }).names, [`${A}:pushed`, `${A}:hinted`]);
});

t.test('what another edge tells late counts too', async (t) => {
  const { compare, seen } = sightings();
  compare({ [A]: ['1'] });
  t.strictSame(compare({ [A]: ['1'] }).names, [`${A}:1`], 'and the target refuses to delete it');
  seen(`${A}:1`, 1500);
  t.strictSame(compare({ [A]: ['1'] }).names, [], 'it was there between the first two comparisons');
});

t.test('a repository that could not be compared keeps what was seen of it', async (t) => {
  const { made, compare } = sightings();
  compare({ [A]: ['1'], 'library/b': ['1'] });
  compare({ [A]: ['1'] });
  t.strictSame(compare({ 'library/b': ['1'] }).names, ['library/b:1']);
  made.clear();
  t.strictSame(compare({ [A]: ['1'] }).names, []);
});

t.test('no more than a bound is remembered', async (t) => {
  const { made, compare } = sightings(3);
  compare({ [A]: ['1', '2'], 'library/b': ['1', '2'] });
  t.strictSame(compare({ [A]: ['1', '2'], 'library/b': ['1', '2'] }).names, [`${A}:1`, `${A}:2`, 'library/b:1']);
  compare({ [A]: [], 'library/b': ['2'] });
  t.strictSame(compare({ 'library/b': ['2'] }).names, ['library/b:2'], 'there is room again');
  compare({ [A]: ['1', '2'] });
  made.clear();
  compare({ [A]: ['1', '2'], 'library/b': ['1'] });
  t.equal(compare({ [A]: ['1', '2'], 'library/b': ['1'] }).names.length, 3, 'as at the start');
});
