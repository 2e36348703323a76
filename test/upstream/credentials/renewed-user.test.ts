import t, { type Test } from 'tap';
import { type GivenLogin, RenewedUser } from '../../../src/upstream/credentials/renewed-user.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';
import { until } from '../../helpers/until.ts';

/** A source that answers as it is told, and counts. */
function source(t: Test, everyMs = 10, first: GivenLogin | Error = { username: 'u', password: '1' }) {
  const news: (string | undefined)[] = [];
  const state: { asked: number; next: GivenLogin | Error } = { asked: 0, next: first };
  const user = new RenewedUser({
    name: 'a source',
    everyMs,
    give: async () => {
      state.asked += 1;
      if (state.next instanceof Error) throw state.next;
      return state.next;
    },
    onNews: (problem, hasLogin) => news.push(problem === undefined ? undefined : `${problem} ${hasLogin}`),
  });
  const alive = setInterval(() => {}, 1000);
  t.teardown(() => {
    user.stop();
    clearInterval(alive);
  });
  return { user, state, news };
}

const asked = (state: { asked: number }, count: number) =>
  until(() => state.asked >= count, { every: 5, what: () => `${count} questions` });

t.test('a login is renewed by itself', async (t) => {
  const { user, state, news } = source(t);
  await user.ready;
  t.strictSame(user.login(), { username: 'u', password: '1' });
  state.next = { username: 'u', password: '2' };
  await until(() => user.login().password === '2', { every: 5, what: () => 'the next login' });
  t.ok(user.renewal.givenAt);
  t.strictSame(news, [], 'nothing to tell');
});

t.test('before the first login there is none, and why is told once', async (t) => {
  const { user, state, news } = source(t, 10, new Error('the program is missing'));
  t.throws(() => user.login(), { reason: 'credentials', message: /it has not answered yet/ });
  await asked(state, 4);
  await user.ready;
  t.throws(
    () => user.login(),
    new UpstreamError('credentials', 'there are no credentials yet: the program is missing'),
  );
  t.match(user.renewal, { givenAt: undefined, problem: { reason: 'the program is missing' } });
  const { since } = user.renewal.problem ?? {};
  state.next = new Error('it prints nonsense');
  await until(() => news.length === 2, { every: 5, what: () => 'another reason' });
  t.equal(user.renewal.problem?.since, since, 'since the first failure');
  state.next = { username: 'u', password: 'good' };
  await until(() => news.length === 3, { every: 5, what: () => 'the end of it' });
  t.equal(user.login().password, 'good');
  t.strictSame(news, ['the program is missing false', 'it prints nonsense false', undefined]);
});

t.test('the last login stays in use while renewals fail', async (t) => {
  const { user, state, news } = source(t);
  await user.ready;
  state.next = new Error('gone');
  await until(() => news.length === 1, { every: 5, what: () => 'news' });
  t.strictSame(user.login(), { username: 'u', password: '1' });
  t.strictSame(news, ['gone true']);
});

t.test('a refusal renews at most so often, and many at once are one', async (t) => {
  const { user, state } = source(t, 3_600_000);
  await user.ready;
  for (let count = 0; count < 100; count += 1) user.refused();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(state.asked, 1, 'it was asked just now');
});

t.test('nothing is asked after the end', async (t) => {
  const { user, state } = source(t);
  await user.ready;
  user.stop();
  const before = state.asked;
  user.refused();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(state.asked, before);
});
