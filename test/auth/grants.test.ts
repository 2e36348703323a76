import assert from 'node:assert/strict';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { type Grant, type GrantHolder, Grants } from '../../src/auth/grants.ts';
import { changedEntries } from '../helpers/changed-entries.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

const SECRET = Buffer.from('a secret of a pair that is long enough');
const OTHER = Buffer.from('the next secret of that pair, as long as');
const HOUR = 3_600_000;

const holder = (user: string, password = 'x', authority = 'harbor'): GrantHolder => ({ authority, user, password });
const ann = holder('ann');

/** @param now set by tests; each look at it is a little later */
function made(t: Test, { secrets = [SECRET], keep = HOUR, clock = { now: 1_000_000 } } = {}): Grants {
  const grants = new Grants(secrets, keep, {
    now: () => {
      clock.now += 0.01;
      return clock.now;
    },
    observe: (at) => at < clock.now + HOUR,
  });
  t.teardown(() => grants.close());
  listening.set(
    grants,
    changedEntries<Grant>(
      grants,
      (grant) => `${grant.holder} ${grant.repository}`,
      (grant) => grants.find(grant.holder, grant.repository) && grant,
    ),
  );
  return grants;
}

const listening = new WeakMap<Grants, () => Grant[]>();
const entriesOf = (grants: Grants | undefined): Grant[] => (grants && listening.get(grants)?.()) ?? [];

t.test('remembers of each user, password and authority what was granted', async (t) => {
  const clock = { now: 1_000_000 };
  const grants = made(t, { clock });
  grants.remember(ann, ['library/a'], grants.now());
  t.ok(grants.pullValidMs(ann, 'library/a') > 0);
  t.ok(grants.passwordValidMs(ann) > 0);
  for (const other of [holder('bob'), holder('ann', 'y'), holder('ann', 'x', 'another harbor')]) {
    t.equal(grants.passwordValidMs(other), 0);
    t.equal(grants.pullValidMs(other, 'library/a'), 0);
  }
  t.equal(grants.pullValidMs(ann, 'library/b'), 0);
  for (const name of ['', '!']) t.equal(grants.pullValidMs(ann, `${name}x`), 0);
  clock.now += HOUR - 1;
  t.ok(grants.passwordValidMs(ann) > 0);
  clock.now += 1;
  t.equal(grants.pullValidMs(ann, 'library/a'), 0, 'and no longer');
  t.equal(grants.passwordValidMs(ann), 0);
});

t.test('a refusal takes back all from before, whenever it is heard', async (t) => {
  const grants = made(t);
  const [early, late] = [grants.now(), grants.now()];
  grants.remember(ann, ['library/a'], early);
  grants.revoke(ann, undefined, late);
  grants.remember(ann, ['library/b'], early);
  t.equal(grants.pullValidMs(ann, 'library/a'), 0);
  t.equal(grants.pullValidMs(ann, 'library/b'), 0, 'an answer that was asked for before and came after');
  grants.remember(ann, ['library/b'], grants.now());
  t.ok(grants.pullValidMs(ann, 'library/b') > 0);
  t.equal(grants.pullValidMs(ann, 'library/a'), 0, 'what is not said again stays taken back');
  grants.revoke(ann, ['library/b'], grants.now());
  t.equal(grants.pullValidMs(ann, 'library/b'), 0);
  t.ok(grants.passwordValidMs(ann) > 0, 'the password is still right');
});

t.test('wrong passwords use no memory of grants', async (t) => {
  const grants = made(t);
  for (let guess = 0; guess < 100; guess += 1) grants.revoke(holder('ann', String(guess)), undefined, grants.now());
  grants.revoke(holder('bob'), ['library/a'], grants.now());
  grants.remember(ann, [], grants.now());
  grants.revoke(ann, ['never/granted'], grants.now());
  t.equal(entriesOf(grants).length, 1);
});

t.test('none is kept for no time, and users and repositories are bounded', async (t) => {
  const none = made(t, { keep: 0 });
  none.remember(ann, ['library/a'], none.now());
  t.equal(none.passwordValidMs(ann), 0);

  const grants = made(t);
  const many = Array.from({ length: 2500 }, (_, index) => `library/a${index}`);
  grants.remember(ann, many, grants.now());
  t.equal(entriesOf(grants).length, 2001);
  t.ok(grants.pullValidMs(ann, 'library/a2499') > 0);
  t.equal(grants.pullValidMs(ann, 'library/a0'), 0, 'those that were said first go');
  t.ok(grants.passwordValidMs(ann) > 0, 'and never the password itself');
  for (let user = 0; user < 10_000; user += 1) grants.remember(holder(`user${user}`), [], grants.now());
  t.equal(grants.passwordValidMs(ann), 0, 'who was here least recently goes');
  t.ok(grants.passwordValidMs(holder('user9999')) > 0);
});

t.test('another secret in use: what is known stays known', async (t) => {
  const grants = made(t);
  grants.remember(ann, ['library/a'], grants.now());
  grants.reload([OTHER, SECRET], HOUR);
  t.ok(grants.pullValidMs(ann, 'library/a') > 0);
  grants.remember(ann, ['library/b'], grants.now());
  t.ok(grants.pullValidMs(ann, 'library/a') > 0);
  grants.revoke(ann, undefined, grants.now());
  t.equal(grants.pullValidMs(ann, 'library/a'), 0, 'under whichever it was');
  grants.remember(ann, ['library/b'], grants.now());
  grants.reload([OTHER], HOUR);
  t.ok(grants.pullValidMs(ann, 'library/b') > 0);
  grants.reload([OTHER], HOUR / 1000);
  t.ok(grants.pullValidMs(ann, 'library/b') <= HOUR / 1000, 'another time to remember counts at once');
});

t.test('while the secret is replaced, the last word counts whoever said it under which', async (t) => {
  const [behind, ahead] = [made(t), made(t, { secrets: [OTHER, SECRET] })];
  for (const taken of [undefined, ['library/a']]) {
    behind.remember(ann, ['library/a'], behind.now());
    const [told, early] = [entriesOf(behind), ahead.now()];
    ahead.remember(ann, ['library/a'], early);
    ahead.revoke(ann, taken, ahead.now() + 1);
    t.equal(ahead.pullValidMs(ann, 'library/a'), 0);
    ahead.merge(told.map((grant) => ({ ...grant, at: early })));
    t.equal(ahead.pullValidMs(ann, 'library/a'), 0, 'what the other edge heard before is told late');
    t.equal(ahead.passwordValidMs(ann) > 0, taken !== undefined);
    behind.reload([SECRET], 0);
    ahead.reload([OTHER, SECRET], 0);
    behind.reload([SECRET], HOUR);
    ahead.reload([OTHER, SECRET], HOUR);
  }
});

t.test('what is not to be remembered any more does not come back', async (t) => {
  const grants = made(t);
  grants.remember(ann, ['library/a'], grants.now());
  grants.reload([SECRET], 0);
  grants.revoke(ann, undefined, grants.now());
  grants.reload([SECRET], HOUR);
  t.equal(grants.passwordValidMs(ann), 0);
  t.same(entriesOf(grants), []);
});

t.test('nothing of a user can be read from it', async (t) => {
  const grants = made(t);
  const secret = holder('ann@example.com', 'correct horse', 'https://harbor.lan');
  grants.remember(secret, ['library/a'], grants.now());
  const told: Grant[] = entriesOf(grants);
  t.equal(told.length, 2);
  t.notMatch(JSON.stringify(told), /ann|horse|harbor/);
  for (const one of told) t.match(one.holder, /^[A-Za-z0-9+/]{43}=$/);
});

t.test('times of others that are too far ahead are not believed', async (t) => {
  const [grants, other] = [made(t), made(t, { clock: { now: 1_000_000 + 2 * HOUR } })];
  other.remember(ann, ['library/a'], other.now());
  t.equal(grants.merge(entriesOf(other)), 0);
  t.equal(grants.passwordValidMs(ann), 0);
});

const NAMES = ['a', 'b', 'c'];
const word = fc.record({
  node: fc.nat(2),
  user: fc.constantFrom('ann', 'bob'),
  what: fc.oneof(
    fc.record({ granted: fc.constant(true as const), names: fc.subarray(NAMES) }),
    fc.record({ granted: fc.constant(false as const), names: fc.option(fc.subarray(NAMES), { nil: undefined }) }),
  ),
});
type Word = typeof word extends fc.Arbitrary<infer T> ? T : never;

function applyWord(grants: Grants | undefined, { user, what }: Word, at: number): void {
  if (what.granted) grants?.remember(holder(user), what.names, at);
  else grants?.revoke(holder(user), what.names, at);
}

t.test('property: the latest decision counts', async (t) => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      const grants = made(t);
      const last = new Map<string, boolean>();
      for (const one of words) {
        applyWord(grants, one, grants.now());
        for (const name of one.what.names ?? NAMES) last.set(`${one.user} ${name}`, one.what.granted);
      }
      for (const user of ['ann', 'bob'])
        for (const name of NAMES)
          assert.equal(
            grants.pullValidMs(holder(user), name) > 0,
            last.get(`${user} ${name}`) ?? false,
            `${user} ${name}`,
          );
    }),
  );
});

t.test('property: nodes that tell each other everything agree, in whatever order they heard it', async (t) => {
  const at = fc.integer({ min: 1_000_001, max: 1_000_030 });
  const told = fc.tuple(fc.nat(2), fc.nat(2));
  fc.assert(
    fc.property(fc.array(fc.tuple(word, at, told), { maxLength: 30 }), (steps) => {
      const nodes = [0, 1, 2].map(() => made(t, { clock: { now: 1_000_100 } }));
      const tell = (from: number, to: number) => nodes[to]?.merge(entriesOf(nodes[from]));
      for (const [one, time, [from, to]] of steps) {
        applyWord(nodes[one.node], one, time);
        tell(from, to);
      }
      for (const round of [0, 1])
        for (const from of [0, 1, 2]) for (const to of [0, 1, 2]) tell(from, (to + round) % 3);
      const known = nodes.map((node) =>
        ['ann', 'bob'].flatMap((user) =>
          [undefined, ...NAMES].map((name) => `${user} ${name} ${left(node, user, name)}`),
        ),
      );
      assert.deepEqual(known[1], known[0]);
      assert.deepEqual(known[2], known[0]);
    }),
    { numRuns: propertyRuns(300) },
  );
});

/** In whole milliseconds: each look is at a later time. */
function left(grants: Grants, user: string, name: string | undefined): number {
  const ms = name === undefined ? grants.passwordValidMs(holder(user)) : grants.pullValidMs(holder(user), name);
  return Math.round(ms);
}

t.test('rights are found by the name alone, where this edge has seen the login', async (t) => {
  const clock = { now: 1_000_000 };
  const grants = made(t, { clock });
  const who = { authority: 'harbor', user: 'ann' };
  t.equal(grants.rightsOf(who, 'library/a'), undefined);
  grants.remember(ann, ['library/a'], grants.now());
  grants.remember(holder('ann', 'new'), ['library/b'], grants.now());
  for (const name of ['library/a', 'library/b'])
    t.match(grants.rightsOf(who, name), { passwordMs: Number, pullMs: Number });
  t.ok((grants.rightsOf(who, 'library/a')?.pullMs ?? 0) > 0, 'by either password');
  t.equal(grants.rightsOf(who, 'library/c')?.pullMs, 0);
  t.equal(grants.rightsOf({ ...who, user: 'bob' }, 'library/a'), undefined);
  t.equal(grants.rightsOf({ ...who, authority: 'another' }, 'library/a'), undefined);
  grants.reload([OTHER, SECRET], HOUR);
  t.ok((grants.rightsOf(who, 'library/a')?.pullMs ?? 0) > 0, 'also while the key is replaced');
  for (const password of ['x', 'new']) grants.revoke(holder('ann', password), undefined, grants.now());
  t.strictSame(grants.rightsOf(who, 'library/a'), { passwordMs: 0, pullMs: 0 });
  clock.now += HOUR;
  grants.remember(holder('bob'), [], grants.now());
  t.equal(grants.rightsOf(who, 'library/a'), undefined, 'and no longer than the rights themselves');
  const other = made(t);
  other.merge(entriesOf(grants));
  t.equal(other.rightsOf({ authority: 'harbor', user: 'bob' }, ''), undefined, 'another edge was not told the name');
  grants.reload([OTHER], 0);
  t.equal(grants.rightsOf({ authority: 'harbor', user: 'bob' }, ''), undefined);
});

t.test('each form of a login counts for itself, and all share the room of one user', async (t) => {
  const grants = made(t);
  const peer = made(t);
  const form = (name: string): GrantHolder => ({ ...ann, form: name });
  grants.remember(holder('bob'), ['a'], grants.now());
  grants.remember(form('one'), ['a', 'b'], grants.now());
  grants.remember(form('two'), ['a'], grants.now());
  t.equal(grants.passwordValidMs(ann), 0);
  t.equal(grants.pullValidMs(form('two'), 'b'), 0);
  t.not(grants.keyOf(form('one'), 'a'), grants.keyOf(form('two'), 'a'));
  t.notOk(grants.revoke(form('three'), undefined, grants.now()), 'it was never accepted');
  t.ok(grants.revoke(form('one'), undefined, grants.now()));
  peer.merge(entriesOf(grants));
  for (const one of [grants, peer]) {
    for (const name of ['a', 'b']) t.equal(one.pullValidMs(form('one'), name), 0);
    t.equal(one.passwordValidMs(form('one')), 0);
    t.ok(one.passwordValidMs(form('two')) > 0 && one.pullValidMs(form('two'), 'a') > 0);
  }
  t.ok((grants.rightsOf(ann, 'a')?.pullMs ?? 0) > 0, 'found in any form');
  t.equal(grants.rightsOf(ann, 'b')?.pullMs, 0);
  grants.remember(form('one'), ['b'], grants.now());
  t.equal(grants.pullValidMs(form('one'), 'a'), 0, 'a refusal voids what came before it');
  t.ok(grants.pullValidMs(form('one'), 'b') > 0);

  for (let count = 0; count < 1100; count += 1) grants.remember(form(`other${count}`), ['a'], grants.now());
  t.ok(entriesOf(grants).length <= 2010, 'bounded');
  t.equal(grants.passwordValidMs(form('two')), 0, 'the oldest goes');
  t.ok(grants.pullValidMs(holder('bob'), 'a') > 0, 'nobody else is crowded out');
});
