import t from 'tap';
import { monotonicNow } from '../../../src/clock/clock.ts';
import { LoginCanary } from '../../../src/upstream/credentials/login-canary.ts';
import type { UserAnswer } from '../../../src/upstream/credentials/user-tokens.ts';

const GRANTED: UserAnswer = {
  outcome: 'granted',
  authorization: 'Bearer x',
  identified: true,
  granted: [],
  undecided: [],
  expiresIn: 60,
};
const REFUSED: UserAnswer = { outcome: 'refused' };

function made() {
  const state: { says: UserAnswer | undefined; acceptedAt: number; asked: number; reports: boolean[] } = {
    says: GRANTED,
    acceptedAt: 0,
    asked: 0,
    reports: [],
  };
  const canary = new LoginCanary({
    ask: async () => {
      state.asked += 1;
      if (!state.says) throw new Error('no answer');
      return state.says;
    },
    acceptedAt: () => state.acceptedAt,
    onRefused: (refused) => state.reports.push(refused),
  });
  return { state, canary };
}

t.test('what the answer to the canary means', async (t) => {
  const { state, canary } = made();
  t.match(await canary.check(), { state: 'well', tookMs: Number });
  state.says = undefined;
  t.strictSame(await canary.check(), { state: 'silent' }, 'no answer');
  state.says = REFUSED;
  t.strictSame(await canary.check(), { state: 'failing' }, 'refused as all others');
  state.says = { outcome: 'refused', tookMs: 20 };
  t.strictSame(await canary.check(), { state: 'failing' }, 'refused at once by Harbor');
  t.strictSame(state.reports, []);
  state.acceptedAt = monotonicNow() + 1;
  t.strictSame(await canary.check(), { state: 'none' }, 'while users are accepted');
  t.strictSame(await canary.check(), { state: 'none' });
  t.strictSame(state.reports, [true], 'reported once');
  state.says = GRANTED;
  t.match(await canary.check(), { state: 'well' });
  t.strictSame(state.reports, [true, false]);
  state.says = { outcome: 'refused', tookMs: 1510 };
  t.strictSame(await canary.check(), { state: 'none' }, 'Harbor has checked it');
  state.acceptedAt = 0;
  state.says = { outcome: 'refused', tookMs: 5 };
  t.strictSame(await canary.check(), { state: 'none' }, 'its name is locked after that, which is no sickness');
  t.strictSame(state.reports, [true, false, true]);
});

t.test('concurrent questions share an answer that began after them', async (t) => {
  const { state, canary } = made();
  const first = canary.check();
  const others = Promise.all([canary.check(), canary.check(), canary.check()]);
  await Promise.all([first, others]);
  t.equal(state.asked, 2);
  await canary.check();
  t.equal(state.asked, 3);
});
