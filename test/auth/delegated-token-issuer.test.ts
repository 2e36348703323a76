import t from 'tap';
import { DelegatedTokenIssuer } from '../../src/auth/delegated-token-issuer.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Grants } from '../../src/auth/grants.ts';
import { Guard } from '../../src/auth/guard.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import { parseScope } from '../../src/oci/scope.ts';
import type { UserAnswer } from '../../src/upstream/credentials/user-tokens.ts';
import { asked, inside, login, MARK, nobody, outside, PROVEN, requestedOn, SECRET, SERVICE } from './made-tokens.ts';

const ANN = login('ann', 'secret');
type Granted = Extract<UserAnswer, { outcome: 'granted' }>;

/** What the authority says next: nothing, in an outage. */
function made(remember = 86_400_000) {
  const state: { says: UserAnswer | undefined; told: number } = { says: undefined, told: 0 };
  const sealer = new TokenSealer([SECRET]);
  const tokens = new DelegatedTokenIssuer({
    askAuthority: async () => {
      if (!state.says) throw new Error('down');
      return state.says;
    },
    isShown: async () => true,
    evidence: PROVEN,
    authority: 'primary',
    fingerprint: MARK,
    grants: new Grants([SECRET], remember, { now: () => Date.now(), observe: () => true }),
    tellPeers: async () => {
      state.told += 1;
    },
    sealer,
    failures: new FailureLimit(),
    service: SERVICE,
    repositoryKeys: (name) => [{ name, tokenName: name, anonymous: false, authorityName: `inner/${name}` }],
    lifetime: 3_600_000,
    refreshLifetime: 3_600_000,
  });
  const guard = new Guard({ acceptsBasis: (_, basis) => MARK.matches(basis), allows: () => true }, sealer, SERVICE);
  /** What of these scopes is granted, or why nothing is. */
  const ask = async (
    scopes: string,
  ): Promise<{ token: string; scope: string; expiresIn: number } | { refused: string }> =>
    tokens.issue(asked(ANN, scopes), outside);
  return { state, guard, tokens, ask };
}

const says = (granted: string[], more: Partial<Granted> = {}): UserAnswer => ({
  outcome: 'granted',
  authorization: 'Bearer one',
  identified: true,
  granted: granted.flatMap((text) => parseScope(text) ?? []),
  undecided: [],
  expiresIn: 3600,
  ...more,
});

t.test('each repository is shown what opens it', async (t) => {
  const { state, guard, ask } = made();
  state.says = says(['repository:inner/a:pull,push', 'repository:inner/b:pull'], {
    perRepository: { 'inner/b': 'Bearer two' },
  });
  const answer = await ask('repository:a:pull,push repository:b:pull');
  const authorization = `Bearer ${'token' in answer ? answer.token : ''}`;
  const shown = async (...requested: ReturnType<typeof requestedOn>[]) =>
    guard.check(authorization, { requested }, outside);
  t.match(await shown(requestedOn('a', 'pull')), { upstream: 'Bearer one' });
  t.match(await shown(requestedOn('b', 'pull')), { upstream: 'Bearer two' });
  t.match(await shown(requestedOn('a', 'push'), requestedOn('b', 'pull')), { upstream: 'Bearer one' }, 'a mount');
  t.match(await guard.check(authorization, 'any-user', outside), { upstream: 'Bearer one' });
});

t.test('a token of the authority for everybody opens what it grants, to pulls only', async (t) => {
  const { state, guard, tokens } = made();
  const askAnonymously = (scopes: string) => tokens.issue(asked(nobody, scopes), outside);
  state.says = says(['repository:inner/a:pull'], { identified: false });
  const answer = await askAnonymously('repository:a:pull,push repository:b:pull');
  t.match(answer, { user: undefined, scope: 'repository:a:pull', refreshToken: undefined });
  const check = async (requirement: Parameters<typeof guard.check>[1], from = outside) =>
    guard.check(`Bearer ${'token' in answer ? answer.token : ''}`, requirement, from);
  for (const from of [outside, inside]) {
    const open = { user: undefined, upstream: 'Bearer one' };
    t.strictSame(await check({ requested: [requestedOn('a', 'pull')] }, from), open);
    t.strictSame(await check({ requested: [] }, from), open, 'the ping');
    const refused = { refused: 'insufficient_scope', user: undefined };
    t.strictSame(await check({ requested: [requestedOn('a', 'pull', 'push')] }, from), refused);
    t.strictSame(await check({ requested: [requestedOn('a', 'delete')] }, from), refused);
    t.strictSame(await check({ requested: [requestedOn('b', 'pull')] }, from), refused);
    t.strictSame(await check('any-user', from), refused);
  }
  for (const scopes of ['', 'registry:catalog:*', 'repository:a:push'])
    t.strictSame(await askAnonymously(scopes), { refused: 'credentials' }, scopes);
  state.says = says([], { identified: false });
  t.strictSame(await askAnonymously('repository:b:pull'), { refused: 'credentials' });
  state.says = undefined;
  t.match(await askAnonymously('repository:b:pull'), { refused: 'unavailable' });
  const remembered = await askAnonymously('repository:a:pull repository:b:pull');
  t.match(remembered, { user: undefined, scope: 'repository:a:pull', outage: { grant: 'remembered' }, expiresIn: 300 });
});

t.test('what is open to everybody is open to each user in an outage', async (t) => {
  const { state, guard, tokens, ask } = made();
  state.says = says(['repository:inner/public:pull'], { identified: false });
  await tokens.issue(asked(nobody, 'repository:public:pull'), outside);
  state.says = says(['repository:inner/own:pull']);
  await ask('repository:own:pull');
  state.says = undefined;
  const scopes = 'repository:own:pull repository:public:pull,push repository:other:pull';
  const known = await tokens.issue(asked(ANN, scopes), outside);
  t.match(known, { user: 'ann', scope: 'repository:own:pull repository:public:pull', outage: { grant: 'remembered' } });
  const unknown = await tokens.issue(asked(login('ben', 'unchecked'), scopes, true), outside);
  t.match(unknown, { user: undefined, scope: 'repository:public:pull', refreshToken: undefined, expiresIn: 300 });
  const token = `Bearer ${'token' in unknown ? unknown.token : ''}`;
  t.strictSame(await guard.check(token, { requested: [requestedOn('public', 'pull')] }, outside), { user: undefined });
  for (const closed of ['', 'repository:own:pull', 'repository:public:push', 'registry:catalog:*'])
    t.match(await tokens.issue(asked(login('ben', 'unchecked'), closed), outside), { refused: 'unavailable' }, closed);
});

t.test('the password for a catalog is only in a token for the catalog', async (t) => {
  const { state, guard, ask } = made();
  state.says = says(['repository:inner/a:pull'], { catalogAuthorization: 'Basic x' });
  const shown = async (scopes: string, requirement: Parameters<typeof guard.check>[1]) => {
    const answer = await ask(scopes);
    return guard.check(`Bearer ${'token' in answer ? answer.token : ''}`, requirement, outside);
  };
  const both = 'registry:catalog:* repository:a:pull';
  t.match(await shown(both, 'any-user'), { upstream: 'Basic x' });
  t.match(await shown(both, { requested: [requestedOn('a', 'pull')] }), { upstream: 'Bearer one' });
  t.match(await shown('repository:a:pull', 'any-user'), { upstream: 'Bearer one' });
});

t.test('what is not there may be hidden, and is not for the fallback to show', async (t) => {
  const { state, guard, ask } = made();
  state.says = says([], { undecided: ['inner/a'] });
  t.match(await ask('repository:a:pull'), { scope: '' });
  state.says = says(['repository:inner/a:push'], { undecided: ['inner/a'] });
  const answer = await ask('repository:a:pull,push');
  t.match(answer, { scope: 'repository:a:pull,push' }, 'who pushes it reads it, too');
  const authorization = `Bearer ${'token' in answer ? answer.token : ''}`;
  const permit = await guard.check(authorization, { requested: [requestedOn('a', 'pull')] }, outside);
  t.match(permit, { forPush: true, authorityOnly: true }, 'where it is pushed');
  state.says = undefined;
  t.match(await ask('repository:a:pull'), { refused: 'unavailable' }, 'nothing of that is remembered');
});

t.test('what was granted is not forgotten because it cannot be found now', async (t) => {
  const { state, ask } = made();
  state.says = says(['repository:inner/a:pull', 'repository:inner/b:pull']);
  await ask('repository:a:pull repository:b:pull');
  // Storage that is gone: every repository is absent, and the canary has not told yet.
  state.says = says([], { undecided: ['inner/a'] });
  t.match(await ask('repository:a:pull'), { scope: 'repository:a:pull' });
  state.says = says([]);
  t.match(await ask('repository:b:pull'), { scope: '' });
  state.says = undefined;
  t.match(await ask('repository:a:pull'), { scope: 'repository:a:pull' });
  t.match(await ask('repository:b:pull'), { refused: 'unavailable' }, 'what was withheld is forgotten');
});

t.test('other edges hear of each grant that is taken back, and of nothing else', async (t) => {
  const { state, ask } = made();
  state.says = says(['repository:inner/a:pull', 'repository:inner/b:pull']);
  await ask('repository:a:pull repository:b:pull');
  t.equal(state.told, 0, 'a grant');
  state.says = says(['repository:inner/a:pull']);
  await ask('repository:a:pull repository:b:pull');
  t.equal(state.told, 1, 'a repository that is withheld now');
  state.says = { outcome: 'refused' };
  await ask('repository:a:pull');
  t.equal(state.told, 2, 'a password that is wrong now');
});

t.test('nor does one that opens what cannot be found now', async (t) => {
  const { state, ask } = made(120_000);
  state.says = says(['repository:inner/a:pull']);
  await ask('repository:a:pull');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  state.says = says([], { undecided: ['inner/a'] });
  const answer = await ask('repository:a:pull');
  t.ok('token' in answer && answer.expiresIn <= 118, JSON.stringify(answer));
});

t.test('no token outlives what is remembered, by more than a minute', async (t) => {
  const rows: [remember: number, upstream: number | undefined, seconds: number][] = [
    [86_400_000, 1800, 1800],
    [86_400_000, undefined, 3600],
    [600_000, undefined, 600],
    [600_000, 300, 300],
    [1000, 1800, 60],
    [0, undefined, 60],
  ];
  for (const [remember, expiresIn, seconds] of rows) {
    const { state, ask } = made(remember);
    state.says = says(['repository:inner/a:pull'], { expiresIn });
    t.match(await ask('repository:a:pull'), { expiresIn: seconds }, `${remember} ms, ${expiresIn} s`);
  }
});
