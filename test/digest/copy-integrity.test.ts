import fc from 'fast-check';
import t from 'tap';
import { CopyIntegrity, type VerifyPolicy } from '../../src/digest/copy-integrity.ts';

const D = `sha256:${'d'.repeat(64)}`;
const E = `sha256:${'e'.repeat(64)}`;
const DAY = 86_400_000;

class Clock {
  now = 1_700_000_000_000;
  readonly read = () => this.now;
}

function make(policy: VerifyPolicy = 'first'): { copies: CopyIntegrity; clock: Clock } {
  const clock = new Clock();
  return { copies: new CopyIntegrity(policy, clock.read), clock };
}

/** Somebody reads it whole. @returns whether it was hashed */
function read(copies: CopyIntegrity, upstream: string, right: boolean, contributors = [upstream]): boolean {
  const claim = copies.claim(upstream, D);
  claim?.[right ? 'right' : 'wrong'](contributors);
  return claim !== undefined;
}

t.test('first: a copy is hashed once a day', async (t) => {
  const { copies, clock } = make();
  t.ok(read(copies, 'nas', true));
  t.ok(copies.isVerified('nas', D));
  t.notOk(read(copies, 'nas', true));
  t.ok(copies.claim('gcr', D), "another upstream's copy is another one");
  t.ok(copies.claim('nas', E), 'and so is another blob');
  clock.now += DAY - 1;
  t.notOk(read(copies, 'nas', true));
  clock.now += 1;
  t.notOk(copies.isVerified('nas', D));
  t.ok(read(copies, 'nas', true));
});

t.test('first: only one transfer of a blob is hashed', async (t) => {
  const { copies } = make();
  const claims = Array.from({ length: 1000 }, () => copies.claim('nas', D)).filter((claim) => claim !== undefined);
  t.equal(claims.length, 1);
  t.same(copies.counts(), { verified: 0, corrupt: 0, hashing: 1 });
  claims[0]?.drop();
  t.same(copies.counts(), { verified: 0, corrupt: 0, hashing: 0 });
  const next = copies.claim('nas', D);
  t.ok(next, 'who comes after one that broke off pays');
  next?.right(['nas']);
  t.notOk(copies.claim('nas', D));
  t.same(copies.counts(), { verified: 1, corrupt: 0, hashing: 0 });
});

t.test('first: a slow client does not keep others from being served what was verified', async (t) => {
  const { copies, clock } = make();
  const slow = copies.claim('nas', D);
  clock.now += 59_999;
  t.notOk(copies.claim('nas', D));
  clock.now += 1;
  const second = copies.claim('nas', D);
  t.ok(second);
  t.notOk(copies.claim('nas', D), 'one at a time');
  slow?.drop();
  t.notOk(copies.claim('nas', D), 'the slow one takes its own claim with it and no other');
  second?.right(['nas']);
  t.ok(copies.isVerified('nas', D));
});

t.test('always: every transfer is hashed; never: none, and nothing is known', async (t) => {
  const always = make('always').copies;
  for (let index = 0; index < 3; index += 1) t.ok(always.claim('nas', D));
  t.ok(read(always, 'nas', true));
  t.ok(read(always, 'nas', false));
  t.ok(always.isCorrupt('nas', D));
  always.policy = 'never';
  t.notOk(always.isCorrupt('nas', D));
  t.notOk(always.claim('nas', D));
  always.policy = 'first';
  t.ok(always.isCorrupt('nas', D), 'what was known is known again');
});

t.test('a corrupt copy is hashed by everyone until it is right', async (t) => {
  const { copies, clock } = make();
  const since = clock.now;
  read(copies, 'nas', false);
  t.ok(copies.isCorrupt('nas', D));
  t.notOk(copies.isCorrupt('nas', E));
  t.notOk(copies.isCorrupt('gcr', D));
  clock.now += 3 * DAY;
  const [broken, wrong, right] = [copies.claim('nas', D), copies.claim('nas', D), copies.claim('nas', D)];
  broken?.drop();
  t.ok(copies.isCorrupt('nas', D), 'one that broke off says nothing');
  wrong?.wrong(['nas']);
  t.same(copies.corruptCopies(), [{ upstream: 'nas', digest: D, since }], 'corrupt since it was first seen');
  right?.right(['nas']);
  t.ok(copies.isCorrupt('nas', D), 'what began before it was found wrong does not clear it');
  t.same(copies.claim('nas', D)?.right(['nas']), { verified: ['nas'], corrupt: [], unverified: [] });
  t.notOk(copies.isCorrupt('nas', D));
  t.notOk(copies.claim('nas', D));
  t.same(copies.corruptCopies(), []);
});

t.test('a copy that was verified may become corrupt', async (t) => {
  const { copies, clock } = make();
  read(copies, 'nas', true);
  clock.now += DAY;
  read(copies, 'nas', false);
  t.notOk(copies.isVerified('nas', D));
  t.ok(copies.isCorrupt('nas', D));
});

t.test('a body of two upstreams', async (t) => {
  const { copies } = make();
  t.ok(read(copies, 'nas', true, ['nas', 'gcr']));
  t.notOk(copies.isVerified('nas', D) || copies.isVerified('gcr', D), 'right: neither was read whole');
  read(copies, 'gcr', true);
  const blamed = copies.claim('nas', D)?.wrong(['nas', 'gcr']);
  t.same(blamed, { verified: [], corrupt: ['nas'], unverified: ['gcr'] });
  t.ok(copies.isCorrupt('nas', D));
  t.notOk(copies.isCorrupt('gcr', D));
  t.ok(copies.claim('gcr', D), 'who was verified is hashed again');
});

t.test('of two suspected copies, the right one is cleared when it is read whole', async (t) => {
  const { copies } = make();
  read(copies, 'nas', false, ['nas', 'gcr']);
  t.ok(copies.isCorrupt('nas', D) && copies.isCorrupt('gcr', D));
  read(copies, 'nas', true, ['nas', 'gcr']);
  t.ok(copies.isCorrupt('nas', D) && copies.isCorrupt('gcr', D), 'a right one of both says nothing');
  read(copies, 'gcr', true);
  t.notOk(copies.isCorrupt('gcr', D));
  t.ok(copies.isCorrupt('nas', D));
});

t.test('a right digest may be of another upstream than the one that was claimed', async (t) => {
  const { copies } = make();
  read(copies, 'nas', true, ['gcr']);
  t.notOk(copies.isVerified('nas', D));
  t.ok(copies.isVerified('gcr', D));
});

t.test('only the first word of a claim counts', async (t) => {
  const { copies } = make();
  const claim = copies.claim('nas', D);
  claim?.right(['nas']);
  t.same(claim?.wrong(['nas']), { verified: [], corrupt: [], unverified: [] });
  claim?.drop();
  t.ok(copies.isVerified('nas', D));
  const dropped = copies.claim('nas', E);
  dropped?.drop();
  dropped?.right(['nas']);
  t.notOk(copies.isVerified('nas', E));
});

t.test('an upstream whose name stands for another registry now', async (t) => {
  const { copies } = make();
  read(copies, 'nas', true);
  read(copies, 'nas-2', true);
  read(copies, 'gcr', false);
  copies.forget('nas');
  copies.forget('gcr');
  t.notOk(copies.isVerified('nas', D));
  t.ok(copies.isVerified('nas-2', D), 'a name that begins the same is another');
  t.notOk(copies.isCorrupt('gcr', D));
});

t.test('memory is bounded', async (t) => {
  const { copies } = make();
  for (let index = 0; index < 60_000; index += 1) copies.claim('nas', `sha256:${index}`)?.right(['nas']);
  for (let index = 0; index < 12_000; index += 1) copies.claim('gcr', `sha256:${index}`)?.wrong(['gcr']);
  t.same(copies.counts(), { verified: 50_000, corrupt: 10_000, hashing: 0 });
  t.notOk(copies.isVerified('nas', 'sha256:0'));
  t.ok(copies.isVerified('nas', 'sha256:59999'));
});

t.test('whatever happens: a copy last found wrong is claimed by all, and no claim stays', async (t) => {
  const step = fc.record({
    upstream: fc.constantFrom('nas', 'gcr'),
    both: fc.boolean(),
    word: fc.constantFrom('right' as const, 'wrong' as const, 'drop' as const),
    open: fc.nat({ max: 3 }),
    passes: fc.constantFrom(0, 30_000, 60_000, DAY),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40 }),
      fc.constantFrom('first' as const, 'always' as const),
      (steps, policy) => {
        const { copies, clock } = make(policy);
        const under: (() => void)[] = [];
        for (const { upstream, both, word, open, passes } of steps) {
          clock.now += passes;
          const wasCorrupt = copies.isCorrupt(upstream, D);
          const claim = copies.claim(upstream, D);
          if ((wasCorrupt || policy === 'always') && !claim) return false;
          const contributors = both ? ['nas', 'gcr'] : [upstream];
          if (claim) under.push(() => void claim[word](contributors));
          while (under.length > open) under.shift()?.();
          for (const one of ['nas', 'gcr']) if (copies.isCorrupt(one, D) && copies.isVerified(one, D)) return false;
        }
        for (const end of under) end();
        return copies.counts().hashing === 0;
      },
    ),
  );
  t.pass('for all');
});
