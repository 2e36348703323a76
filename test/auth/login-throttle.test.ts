import fc from 'fast-check';
import t from 'tap';
import type { Caller } from '../../src/auth/caller.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { LoginThrottle } from '../../src/auth/login-throttle.ts';
import type { TokenGrant, TokenRefusal } from '../../src/auth/token-issuer.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { Clock, FORGIVE_MS, MAX_FAILURES } from './made-tokens.ts';

const MAX_PENDING = 64;
const WRONG: TokenRefusal = { refused: 'credentials' };
const UNKNOWN: TokenRefusal = { refused: 'unavailable', detail: 'it is down' };

const from = (address: string): Caller => ({ address, anonymous: false });
const HERE = from('192.0.2.1');
const THERE = from('192.0.2.2');

function grantOf(token: string): TokenGrant {
  return { user: 'ann', token, refreshToken: undefined, expiresIn: 60, issued: 0, scope: '' };
}

/** A gate before somebody who says `says`, at once or when told to. */
function made(says: TokenGrant | TokenRefusal = WRONG) {
  const clock = new Clock();
  const gate = new LoginThrottle(new FailureLimit(MAX_FAILURES, FORGIVE_MS, () => clock.now));
  const state = { says, known: false, decided: 0, gates: [] as (() => void)[], held: false };
  const decide = async () => {
    state.decided += 1;
    const { says: answer } = state;
    if (state.held) await new Promise<void>((resolve) => state.gates.push(resolve));
    return answer;
  };
  const pass = (user: string, password: string, caller = HERE) =>
    gate.attempt({ user, password }, caller, () => state.known, decide);
  const release = () => {
    state.held = false;
    for (const open of state.gates.splice(0)) open();
  };
  return { pass, state, clock, release };
}

t.test('concurrent logins with one wrong password ask once, and count once', async (t) => {
  const { pass, state, release } = made();
  state.held = true;
  const herd = Array.from({ length: 50 }, () => pass('ann', 'old'));
  release();
  for (const answer of await Promise.all(herd)) t.strictSame(answer, WRONG);
  t.equal(state.decided, 1);
  for (let count = 1; count < MAX_FAILURES; count += 1) t.strictSame(await pass('ann', `${count}`), WRONG);
  t.match(await pass('ann', 'once more'), { refused: 'wait' }, 'ten have been wrong, not fifty-nine');
});

t.test('a herd with a right one: each is given what it asks for, once it is known to be right', async (t) => {
  const clock = new Clock();
  const gate = new LoginThrottle(new FailureLimit(1, FORGIVE_MS, () => clock.now));
  let decided = 0;
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const login = { user: 'ann', password: 'right' };
  const herd = Array.from({ length: 50 }, (_, index) =>
    gate.attempt(
      login,
      HERE,
      () => false,
      async () => {
        decided += 1;
        if (index === 0) await first;
        return grantOf(`token ${index}`);
      },
    ),
  );
  await new Promise((soon) => setImmediate(soon));
  t.equal(decided, 1, 'the others wait for the first');
  resolve();
  const tokens = (await Promise.all(herd)).map((answer) => ('token' in answer ? answer.token : answer.refused));
  t.equal(new Set(tokens).size, 50);
  t.equal(decided, 50);
});

t.test('the same password of another user, and another password, are no part of the herd', async (t) => {
  const { pass, state, release } = made();
  state.held = true;
  const all = [pass('ann', 'x'), pass('bob', 'x'), pass('ann', 'y'), pass('an', 'nx')];
  release();
  await Promise.all(all);
  t.equal(state.decided, 4);
});

t.test('what is counted against whom', async (t) => {
  const rows: [string, TokenRefusal, from: [string, Caller], then: [string, Caller], boolean][] = [
    ['a wrong password: the user, elsewhere', WRONG, ['ann', HERE], ['ann', THERE], true],
    ['a wrong password: the address, another user', WRONG, ['ann', HERE], ['bob', HERE], true],
    ['a wrong password: nobody else', WRONG, ['ann', HERE], ['bob', THERE], false],
    ['nobody can say: the user, elsewhere', UNKNOWN, ['ann', HERE], ['ann', THERE], true],
    ['nobody can say: the user, from there', UNKNOWN, ['ann', HERE], ['ann', HERE], true],
    ['nobody can say: others who share the address are not shut out', UNKNOWN, ['ann', HERE], ['bob', HERE], false],
  ];
  for (const [name, says, [user, caller], [other, elsewhere], waits] of rows) {
    const { pass } = made(says);
    for (let count = 0; count < MAX_FAILURES; count += 1) t.strictSame(await pass(user, `${count}`, caller), says);
    const next = await pass(other, 'next', elsewhere);
    t.equal(Object.hasOwn(next, 'waitMs'), waits, name);
  }
});

t.test('a right password costs nothing, however often', async (t) => {
  const { pass, state } = made(grantOf('x'));
  for (let count = 0; count < 3 * MAX_FAILURES; count += 1) await pass('ann', 'right');
  state.says = WRONG;
  t.strictSame(await pass('ann', 'wrong'), WRONG, 'nor has anything been counted');
});

t.test('it may be tried again when enough of them are old', async (t) => {
  const { pass, clock } = made();
  for (let count = 0; count < MAX_FAILURES; count += 1) await pass('ann', `${count}`);
  t.strictSame(await pass('ann', 'x', THERE), { refused: 'wait', waitMs: FORGIVE_MS });
  clock.now += FORGIVE_MS - 1;
  const almost = await pass('ann', 'x', from('192.0.2.3'));
  t.ok('waitMs' in almost && almost.waitMs > 0 && almost.waitMs < 1.001);
  clock.now += 1;
  t.strictSame(await pass('ann', 'x', from('192.0.2.4')), WRONG);
});

t.test('who was right before is not shut out by others; who guesses at that from there is', async (t) => {
  const { pass, state } = made();
  for (let count = 0; count < MAX_FAILURES; count += 1) await pass('ann', `${count}`, THERE);
  state.known = true;
  state.says = grantOf('x');
  t.match(await pass('ann', 'right'), { token: 'x' }, 'from elsewhere');
  t.match(await pass('ann', 'right', THERE), { refused: 'wait' }, 'not from where they guess');
  state.known = false;
  const elsewhere = from('192.0.2.9');
  for (let count = 0; count < MAX_FAILURES; count += 1)
    t.match(await pass('ann', `guess ${count}`, elsewhere), { refused: 'wait' }, 'the name is held');
  state.known = true;
  t.match(await pass('ann', 'right', elsewhere), { refused: 'wait' }, 'who goes on all the same is held with the name');
  t.match(await pass('ann', 'right'), { token: 'x' }, 'and nobody else');
});

t.test('so many are found out about at once; more wait a second, and are not counted', async (t) => {
  const { pass, state, release, clock } = made();
  state.held = true;
  const first = Array.from({ length: MAX_PENDING }, (_, index) =>
    pass(`user${index}`, 'x', from(`198.51.100.${index}`)),
  );
  t.strictSame(await pass('late', 'x', THERE), { refused: 'wait', waitMs: 1000 });
  t.equal(state.decided, MAX_PENDING);
  state.known = true;
  const known = pass('known', 'x', THERE);
  t.equal(state.decided, MAX_PENDING + 1, 'what is known needs no place');
  state.known = false;
  release();
  await Promise.all([...first, known]);
  for (let count = 0; count < MAX_FAILURES; count += 1) t.strictSame(await pass('late', `${count}`, THERE), WRONG);
  t.equal(clock.now, new Clock().now, 'in no time');
});

t.test('as many as come at once are not more than may be tried', async (t) => {
  const { pass, state, release } = made();
  state.held = true;
  const burst = Array.from({ length: 40 }, (_, index) => pass('ann', `guess ${index}`));
  release();
  const answers = await Promise.all(burst);
  t.equal(answers.filter((answer) => 'refused' in answer && answer.refused === 'credentials').length, MAX_FAILURES);
  t.equal(state.decided, MAX_FAILURES);
});

t.test('a login that fails with an error ends the wait of all that share it', async (t) => {
  const { pass, state } = made();
  const gate = new LoginThrottle(new FailureLimit());
  const login = { user: 'ann', password: 'x' };
  const broken = () =>
    gate.attempt(
      login,
      HERE,
      () => false,
      () => Promise.reject(new Error('a fault')),
    );
  await Promise.all([t.rejects(broken(), /a fault/), t.rejects(broken(), /a fault/)]);
  state.says = grantOf('x');
  t.match(
    await gate.attempt(
      login,
      HERE,
      () => false,
      async () => grantOf('y'),
    ),
    { token: 'y' },
  );
  t.match(await pass('ann', 'x'), { token: 'x' });
});

t.test(
  'property: in any history no more than ten and one every six seconds are found wrong, of one user',
  async (t) => {
    let waited = 0;
    const step = fc.record({
      address: fc.integer({ min: 1, max: 30 }),
      password: fc.integer({ min: 0, max: 1000 }),
      wait: fc.integer({ min: 0, max: FORGIVE_MS }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120 }), async (steps) => {
        const { pass, state, clock } = made();
        const start = clock.now;
        for (const { address, password, wait } of steps) {
          clock.now += wait;
          const answer = await pass('ann', `${password}`, from(`192.0.2.${address}`));
          if ('waitMs' in answer) waited += 1;
          const most = MAX_FAILURES + Math.floor((clock.now - start) / FORGIVE_MS);
          if (state.decided > most) throw new Error(`${state.decided} of ${most}`);
        }
      }),
      { numRuns: propertyRuns(100) },
    );
    t.ok(waited > leastSeen(50), `${waited} had to wait`);
  },
);
