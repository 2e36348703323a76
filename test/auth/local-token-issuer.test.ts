import t from 'tap';
import {
  asked,
  Clock,
  FORGIVE_MS,
  granted,
  hashOf,
  inside,
  LIFETIME,
  login,
  MAX_FAILURES,
  made,
  nobody,
  outside,
  REFRESH_LIFETIME,
  repositoryKeyOf,
  SERVICE,
} from './made-tokens.ts';

const hashes = { ann: await hashOf('secret'), bob: await hashOf('hunter2') };
const access = { ann: ['team/** pull,push', 'team/app delete'], '*': ['library/** pull'] };
const ann = login('ann', 'secret');
const wrong = login('ann', 'wrong');
const refused = { refused: 'credentials' };

t.test('what is granted is what is both asked for and allowed', async (t) => {
  const { tokens, box } = made({ hashes, access });
  const rows: [string, string][] = [
    ['', ''],
    ['repository:team/app:pull', 'repository:team/app:pull'],
    ['repository:team/app:push,pull', 'repository:team/app:pull,push'],
    ['repository:team/app:*', 'repository:team/app:pull,push,delete'],
    ['repository:team/other:*', 'repository:team/other:pull,push'],
    ['repository:library/a:pull,push', 'repository:library/a:pull'],
    ['repository:library/a:push', ''],
    ['repository:other/a:pull', ''],
    ['repository:other/a:pull repository:library/a:pull', 'repository:library/a:pull'],
    ['repository:team/app:', ''],
    ['repository:team/app:admin', ''],
    ['repository(plugin):team/app:pull', ''],
    ['registry:catalog:*', 'registry:catalog:*'],
    ['registry:catalog:pull', ''],
    ['registry:other:*', ''],
    ['repository:team/../other:pull', ''],
    ['repository:team//app:pull', ''],
    ['repository:team/:pull', ''],
    ['repository:team/APP:pull', ''],
    ['repository:team/a\u0001:pull', ''],
    ['constructor:team/app:pull', ''],
  ];
  for (const [scopes, expected] of rows) {
    const grant = granted(await tokens.issue(asked(ann, scopes), outside));
    t.equal(grant.scope, expected, scopes);
    t.match(await box.open(grant.token), { claims: { use: 'access', user: 'ann', service: SERVICE } }, scopes);
  }
});

t.test('requests for tokens that are refused', async (t) => {
  const { tokens } = made({ hashes, access });
  const rows = [
    login('ann', ''),
    login('ann', 'hunter2'),
    login('nobody', 'secret'),
    login('*', 'x'),
    login('@ci', 'x'),
  ];
  for (const credentials of rows) t.strictSame(await tokens.issue(asked(credentials), outside), refused);
});

t.test('times', async (t) => {
  const clock = new Clock();
  const { tokens, box } = made({ hashes, access, clock });
  const grant = granted(await tokens.issue(asked(ann, '', true), outside));
  t.match(grant, { expiresIn: LIFETIME / 1000, issued: clock.now, user: 'ann' });
  t.match(await box.open(grant.token), { claims: { issued: clock.now, expires: clock.now + LIFETIME } });
  t.match(await box.open(grant.refreshToken ?? ''), {
    claims: { use: 'refresh', access: [], expires: clock.now + REFRESH_LIFETIME },
  });
});

t.test('anonymous tokens', async (t) => {
  const { tokens } = made({ hashes, access });
  t.strictSame(await tokens.issue(asked(nobody, 'repository:open-a:pull'), outside), refused);
  const rows: [string, string][] = [
    ['', ''],
    ['repository:open-a:pull', 'repository:open-a:pull'],
    ['repository:open-a:pull,push,delete', 'repository:open-a:pull'],
    ['repository:open-a:*', 'repository:open-a:pull'],
    ['repository:library/a:pull', ''],
    ['registry:catalog:*', ''],
  ];
  for (const [scopes, expected] of rows) {
    const grant = granted(await tokens.issue(asked(nobody, scopes, true), inside));
    t.match(grant, { scope: expected, user: undefined, refreshToken: undefined }, scopes);
  }
  t.strictSame(await tokens.issue(asked(wrong), inside), refused, 'a wrong password is wrong there too');
});

t.test('a repository that two registries have is granted what either allows', async (t) => {
  const places = (name: string) => [repositoryKeyOf(name), repositoryKeyOf(`docker.io/${name}`)];
  const { tokens } = made({ hashes, access: { ann: ['a pull', 'docker.io/a push'] }, places });
  t.equal(granted(await tokens.issue(asked(ann, 'repository:a:*'), outside)).scope, 'repository:a:pull,push');
  const nowhere = made({ hashes, access: { ann: ['** pull'] }, places: () => [] });
  t.equal(granted(await nowhere.tokens.issue(asked(ann, 'repository:a:*'), outside)).scope, '', 'no route leads there');
});

t.test('a hundred scopes never make a token that the edge does not read itself', async (t) => {
  const { tokens, box } = made({ hashes, access });
  const scopes = Array.from({ length: 100 }, (_, one) => `repository:team/${'a'.repeat(50)}${one}:*`).join(' ');
  const { token, scope } = granted(await tokens.issue(asked(ann, scopes), outside));
  t.equal(scope.split(' ').length, 100);
  t.match(await box.open(token), { claims: { user: 'ann' } }, `${token.length} bytes`);
});

t.test('refresh tokens', async (t) => {
  const clock = new Clock();
  const shared = { access, clock };
  const { tokens } = made({ hashes, ...shared });
  t.equal(granted(await tokens.issue(asked(ann), outside)).refreshToken, undefined, 'only for who asks');
  const grant = granted(await tokens.issue(asked(ann, 'repository:team/app:pull', true), outside));
  const refresh = { kind: 'refresh', token: grant.refreshToken ?? '' } as const;
  const again = granted(await tokens.issue(asked(refresh, 'repository:team/app:push'), outside));
  t.match(again, { user: 'ann', scope: 'repository:team/app:push', refreshToken: undefined });
  t.type(granted(await tokens.issue(asked(refresh, '', true), outside)).refreshToken, 'string');

  const answer = (options: Parameters<typeof made>[0], token = refresh.token) =>
    made(options).tokens.issue(asked({ kind: 'refresh', token }), outside);
  t.match(await answer({ hashes, ...shared }), { user: 'ann' }, 'after a restart, or on the other edge');
  t.strictSame(await answer({ hashes, ...shared }, grant.token), refused, 'an access token brings no new ones');
  t.strictSame(await answer({ hashes, ...shared }, 'x'), refused, 'nonsense');
  t.strictSame(await answer({ hashes: { ...hashes, ann: hashes.bob }, ...shared }), refused, 'another password');
  t.strictSame(await answer({ hashes: { bob: hashes.bob }, ...shared }), refused, 'the user is gone');
  t.strictSame(await answer({ hashes, ...shared, service: 'other.example.io' }), refused, 'of another service');
  t.strictSame(await answer({ hashes, ...shared, secrets: [Buffer.alloc(32)] }), refused, 'another key');
  const fewer = granted(
    await made({ hashes, clock, access: {} }).tokens.issue(asked(refresh, 'repository:team/app:pull'), outside),
  );
  t.equal(fewer.scope, '', 'the rules of now count');
  clock.now += REFRESH_LIFETIME + 60_000;
  t.match(await answer({ hashes, ...shared }), { user: 'ann' });
  clock.now += 1;
  t.strictSame(await answer({ hashes, ...shared }), refused, 'expired');
});

t.test('too many wrong passwords', async (t) => {
  const clock = new Clock();
  const { tokens } = made({ hashes, access, clock });
  for (let round = 0; round < MAX_FAILURES; round += 1)
    t.strictSame(await tokens.issue(asked(wrong), outside), refused, `failure ${round}`);
  const wait = { refused: 'wait', waitMs: FORGIVE_MS };
  t.strictSame(await tokens.issue(asked(wrong), outside), wait);
  t.strictSame(await tokens.issue(asked(ann), outside), wait, 'a right one too, or it could be guessed');
  t.strictSame(await tokens.issue(asked(login('bob', 'hunter2')), outside), wait, 'every user of that address');
  t.strictSame(await tokens.issue(asked(ann), { ...outside, address: '203.0.113.10' }), wait, 'the user elsewhere');
  const elsewhere = { ...outside, address: '203.0.113.11' };
  t.match(await tokens.issue(asked(login('bob', 'hunter2')), elsewhere), { user: 'bob' }, 'nobody else');
  t.match(await tokens.issue(asked(nobody), { ...outside, anonymous: true }), { user: undefined });
  clock.now += FORGIVE_MS;
  t.strictSame(await tokens.issue(asked(wrong), outside), refused, 'one more');
  t.match(await tokens.issue(asked(ann), outside), { refused: 'wait' });
  clock.now += FORGIVE_MS;
  t.match(await tokens.issue(asked(ann), outside), { user: 'ann' });
});

t.test('the addresses of one IPv6 client are one', async (t) => {
  const { tokens } = made({ hashes, access });
  const from = (host: number) => ({ address: `2001:db8::${host}`, anonymous: false });
  for (let host = 0; host < MAX_FAILURES; host += 1) await tokens.issue(asked(login(`u${host}`, 'x')), from(host));
  t.match(await tokens.issue(asked(ann), from(99)), { refused: 'wait' });
});

t.test('who was right a moment ago is not locked out by others who try the name', async (t) => {
  const { tokens } = made({ hashes, access });
  await tokens.issue(asked(ann), inside);
  for (let round = 0; round < MAX_FAILURES; round += 1) await tokens.issue(asked(wrong), outside);
  t.match(await tokens.issue(asked(ann), inside), { user: 'ann' });
  t.match(await tokens.issue(asked(ann), { ...inside, address: '10.9.9.9' }), { user: 'ann' });
});

t.test('a password that is remembered cannot be guessed at any faster', async (t) => {
  const { tokens } = made({ hashes, access });
  await tokens.issue(asked(ann), inside);
  for (let round = 0; round < MAX_FAILURES; round += 1) await tokens.issue(asked(wrong), outside);
  t.match(await tokens.issue(asked(ann), outside), { refused: 'wait' }, 'not from the address that guesses');
  const other = { ...outside, address: '203.0.113.10' };
  for (let round = 0; round < MAX_FAILURES; round += 1)
    t.match(await tokens.issue(asked(login('ann', `guess ${round}`)), other), { refused: 'wait' });
  t.match(await tokens.issue(asked(ann), other), { refused: 'wait' }, 'nor from one that guesses while the user waits');
});

t.test('what is tried at the same time counts as what is tried in turn', async (t) => {
  const { tokens, passwords } = made({ hashes, access });
  let checks = 0;
  const check = passwords.verify.bind(passwords);
  passwords.verify = (user, password) => {
    checks += 1;
    return check(user, password);
  };
  const guesses = Array.from({ length: 200 }, (_, one) => tokens.issue(asked(login('ann', `guess ${one}`)), outside));
  const answers = await Promise.all(guesses);
  t.equal(answers.filter((answer) => 'refused' in answer && answer.refused === 'credentials').length, MAX_FAILURES);
  t.equal(answers.filter((answer) => 'refused' in answer && answer.refused === 'wait').length, 200 - MAX_FAILURES);
  t.equal(checks, MAX_FAILURES, 'and bcrypt keeps no thread busy for the others');
});

t.test('many who are right at the same time are all served', async (t) => {
  const users = Array.from({ length: 30 }, (_, one) => `user${one}`);
  const { tokens } = made({ hashes: Object.fromEntries(users.map((user) => [user, hashes.ann])), access });
  const answers = await Promise.all(
    [...users, ...users.map(() => 'user0')].map((user) => tokens.issue(asked(login(user, 'secret')), outside)),
  );
  t.ok(answers.every((answer) => !('refused' in answer)));
  t.match(await tokens.issue(asked(login('user0', 'wrong')), outside), refused, 'and none of them counts as a failure');
});

t.test('a refresh token that is good outlasts the failures of others at its address', async (t) => {
  const { tokens } = made({ hashes, access });
  const token = granted(await tokens.issue(asked(ann, '', true), outside)).refreshToken ?? '';
  for (let round = 0; round < MAX_FAILURES; round += 1)
    t.strictSame(await tokens.issue(asked({ kind: 'refresh', token: `x${round}` }), outside), refused);
  t.match(await tokens.issue(asked({ kind: 'refresh', token }), outside), { user: 'ann' });
});
