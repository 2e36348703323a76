import { createLocalJWKSet } from 'jose';
import t from 'tap';
import { DelegatedTokenIssuer } from '../../src/auth/delegated-token-issuer.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Grants } from '../../src/auth/grants.ts';
import { JwtIssuers } from '../../src/auth/jwt-issuers.ts';
import type { Credentials } from '../../src/auth/token-request.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import { parseScope } from '../../src/oci/scope.ts';
import { usableKeys } from '../../src/upstream/credentials/issuer-keys.ts';
import type { UserAnswer } from '../../src/upstream/credentials/user-tokens.ts';
import { AUDIENCE, ISSUER, SigningKey, SUBJECT } from '../helpers/json-web-keys.ts';
import { asked, granted, login, MARK, MAX_FAILURES, outside, PROVEN, SECRET, SERVICE } from './made-tokens.ts';

const HOUR_MS = 3_600_000;
const PULL = 'repository:a:pull';
const key = await SigningKey.make('a');
const strange = await SigningKey.make('a');
const NAME = `jwt:${SUBJECT} (${ISSUER})`;
const keySet = createLocalJWKSet({ keys: usableKeys({ keys: [key.publicKey] }) });

const GRANTED: UserAnswer = {
  outcome: 'granted',
  authorization: 'Bearer one',
  identified: true,
  granted: [PULL.replace(':a:', ':inner/a:')].flatMap((text) => parseScope(text) ?? []),
  undecided: [],
  expiresIn: 3600,
};

/** @param says what the authority says; undefined: nothing, in an outage */
function made() {
  const state: {
    says: UserAnswer | undefined;
    ahead: number;
    keys: typeof keySet | undefined;
    asked: (string | undefined)[];
  } = {
    says: GRANTED,
    ahead: 0,
    keys: keySet,
    asked: [],
  };
  const grants = new Grants([SECRET], 24 * HOUR_MS, { now: () => Date.now(), observe: () => true });
  const keys = { current: async () => state.keys, renewed: async () => undefined };
  const issuers = [ISSUER, 'https://second'].map((issuer) => ({ issuer, audience: [AUDIENCE], keys }));
  const tokens = new DelegatedTokenIssuer({
    askAuthority: async (authorization) => {
      state.asked.push(authorization);
      if (!state.says) throw new Error('down');
      return state.says;
    },
    isShown: async () => true,
    evidence: PROVEN,
    authority: 'primary',
    fingerprint: MARK,
    grants,
    tellPeers: async () => undefined,
    sealer: new TokenSealer([SECRET]),
    failures: new FailureLimit(MAX_FAILURES),
    service: SERVICE,
    repositoryKeys: (name) => [{ name, tokenName: name, anonymous: false, authorityName: `inner/${name}` }],
    lifetime: HOUR_MS,
    refreshLifetime: HOUR_MS,
    jwts: new JwtIssuers(issuers, () => ({ monotonic: 0, wall: Date.now() + state.ahead })),
  });
  const ask = async (password: string, user = 'token', scope = PULL, address = outside.address) => {
    const answer = await tokens.issue(asked(login(user, password), scope), { ...outside, address });
    return 'refused' in answer ? answer.refused : answer.scope;
  };
  const nameOf = async (credentials: Credentials) =>
    granted(await tokens.issue(asked(credentials, PULL), outside)).user;
  const bearer = async (token: string, address = outside.address) => {
    const answer = await tokens.issue(asked({ kind: 'bearer', token }, PULL), { ...outside, address });
    return 'refused' in answer ? answer.refused : answer.scope;
  };
  return { state, tokens, ask, bearer, nameOf };
}

t.test('a new token of the same subject pulls in an outage, in the form that the authority took', async (t) => {
  const { state, ask, bearer } = made();
  t.equal(await ask(await key.sign()), PULL);
  state.says = undefined;
  t.equal(await ask(await key.sign()), PULL);
  t.equal(await ask(await key.sign(), 'another'), 'unavailable', 'another name');
  t.equal(await bearer(await key.sign()), 'unavailable', 'without a name');
  state.says = GRANTED;
  for (const name of ['another', 'Bearer']) t.equal(await ask(await key.sign(), name), PULL);
  state.says = undefined;
  t.equal(await ask(await key.sign(), 'another'), PULL);
  t.equal(await bearer(await key.sign()), 'unavailable', 'Bearer is not a name');
  state.says = GRANTED;
  t.equal(await bearer(await key.sign()), PULL);
  state.says = undefined;
  t.equal(await bearer(await key.sign()), PULL);
  t.equal(await ask(await key.sign()), PULL);
  t.equal(await ask(await key.sign(), 'token', 'repository:b:pull'), 'unavailable', 'exactly what was granted');
  t.equal(await ask(await key.sign({ sub: 'system:serviceaccount:team:other' })), 'unavailable');
  t.equal(await ask('hunter2'), 'unavailable', 'a password is no token');
});

t.test('exp holds in an outage, also for the very token that was accepted', async (t) => {
  const { state, ask } = made();
  const token = await key.sign();
  t.equal(await ask(token), PULL);
  state.says = undefined;
  t.equal(await ask(token), PULL);
  state.ahead += 2 * HOUR_MS;
  t.equal(await ask(token), 'credentials');
  t.equal(await ask(await key.sign({}, {}, Date.now() + state.ahead)), PULL);
});

t.test('what proves nothing opens nothing in an outage', async (t) => {
  const { state, ask, bearer } = made();
  t.equal(await ask(await key.sign()), PULL);
  state.says = undefined;
  for (const [name, token] of Object.entries({
    'a forged one': await strange.sign(),
    'for another audience': await key.sign({ aud: 'vault' }),
    'for ever': await key.sign({ exp: undefined }),
  })) {
    t.equal(await ask(token), 'credentials', name);
    t.equal(await bearer(token), 'credentials', name);
  }
  t.equal(await bearer(await key.sign({ iss: 'https://other' })), 'credentials', 'of no issuer here');
  state.keys = undefined;
  t.equal(await ask(await key.sign()), 'unavailable', 'without keys nobody can tell');
});

t.test('a token that proves nothing is not remembered as a password, either', async (t) => {
  for (const claims of [{ aud: 'vault' }, { exp: 1_000_000_000 }]) {
    const { state, ask } = made();
    const token = await key.sign(claims);
    t.equal(await ask(token), PULL, 'the authority decides');
    state.says = undefined;
    t.equal(await ask(token), 'credentials');
    t.equal(await ask(await key.sign()), 'unavailable', 'nor is its subject');
  }
});

t.test('only a good token that is refused takes back what its subject had', async (t) => {
  const { state, ask } = made();
  t.equal(await ask(await key.sign()), PULL);
  state.says = { outcome: 'refused' };
  t.equal(await ask(await key.sign({ exp: 1_000_000_000 })), 'credentials');
  t.equal(await ask(await strange.sign()), 'credentials');
  state.says = undefined;
  t.equal(await ask(await key.sign()), PULL);
  state.says = { outcome: 'refused' };
  t.equal(await ask(await key.sign()), 'credentials');
  state.says = undefined;
  t.equal(await ask(await key.sign()), 'unavailable');
});

t.test('the tokens of the edge last no longer than the JWT', async (t) => {
  const { state, tokens } = made();
  const exp = Math.floor(Date.now() / 1000) + 200;
  const password = await key.sign({ exp });
  for (const says of [GRANTED, undefined]) {
    state.says = says;
    const answer = await tokens.issue(asked(login('token', password), PULL), outside);
    t.ok('expiresIn' in answer && answer.expiresIn <= 200 && answer.expiresIn > 100, JSON.stringify(answer));
  }
});

t.test(
  'a clock that is ahead does not end what the authority accepts, and a user is found by its subject',
  async (t) => {
    const { state, tokens, ask } = made();
    const password = await key.sign();
    state.ahead += 2 * HOUR_MS;
    const answer = await tokens.issue(asked(login('token', password), PULL), outside);
    t.match(answer, { expiresIn: 60 });
    t.equal(tokens.remembered(SUBJECT, 'inner/a').remembered, undefined);
    t.equal(await ask(await key.sign({}, {}, Date.now() + state.ahead)), PULL);
    t.ok((tokens.remembered(SUBJECT, 'inner/a').remembered?.pullMs ?? 0) > HOUR_MS);
    t.equal(tokens.remembered('token', 'inner/a').remembered, undefined);
  },
);

t.test('the authority gets the token as the client gave it', async (t) => {
  const { state, ask, bearer } = made();
  const token = await key.sign();
  await ask(token);
  await bearer(token);
  const basic = `Basic ${Buffer.from(`token:${token}`).toString('base64')}`;
  t.same(state.asked, [basic, `Bearer ${token}`]);
  t.equal(await bearer(await key.sign({ iss: 'https://other' })), 'credentials');
  t.equal(state.asked.length, 2, 'tokens of others are not shown to it');
});

t.test('a Bearer token that is known to be invalid is not shown to the authority', async (t) => {
  const { state, bearer } = made();
  for (const [name, token] of Object.entries({
    forged: await strange.sign(),
    'for another audience': await key.sign({ aud: 'vault' }),
    'for ever': await key.sign({ exp: undefined }),
  })) {
    t.equal(await bearer(token), 'credentials', name);
    t.same(state.asked, [], name);
  }
  t.equal(await bearer(await key.sign({ exp: 1_000_000_000 })), PULL, 'the clock of the edge may be ahead');
  t.equal(await bearer(await key.sign({ nbf: 9_000_000_000 })), PULL, 'or behind');
  state.keys = undefined;
  t.equal(await bearer(await strange.sign()), PULL, 'without keys the edge cannot tell');
  t.equal(state.asked.length, 3);
});

t.test('a name that looks like a subject is none', async (t) => {
  const { state, ask } = made();
  t.equal(await ask(await key.sign()), PULL);
  state.says = undefined;
  t.equal(await ask('', JSON.stringify([ISSUER, SUBJECT])), 'unavailable');
});

t.test('the name of a JWT is its subject and issuer, whatever the client calls itself', async (t) => {
  const { state, nameOf } = made();
  for (const says of [GRANTED, undefined]) {
    state.says = says;
    t.equal(await nameOf(login('alice', await key.sign())), NAME);
    t.equal(await nameOf(login('bob', await key.sign())), NAME);
    t.equal(await nameOf({ kind: 'bearer', token: await key.sign() }), NAME);
  }
  state.says = GRANTED;
  t.equal(await nameOf(login('alice', await key.sign({ iss: 'https://second' }))), `jwt:${SUBJECT} (https://second)`);
  t.equal(await nameOf(login('alice', await key.sign({ exp: 1_000_000_000 }))), NAME, 'its signature was checked');
  t.equal(
    await nameOf(login('alice', await strange.sign())),
    `jwt: (${ISSUER})`,
    'the authority knows it, nobody else',
  );
  t.equal(await nameOf(login('alice', 'hunter2')), 'alice');
  state.keys = undefined;
  t.equal(await nameOf({ kind: 'bearer', token: await strange.sign() }), `jwt: (${ISSUER})`);
});

t.test('a refresh token brings the authority the name that the client gave', async (t) => {
  const { state, tokens } = made();
  const password = await key.sign();
  const { refreshToken: token = '' } = granted(
    await tokens.issue(asked(login('alice', password), PULL, true), outside),
  );
  const again = granted(await tokens.issue(asked({ kind: 'refresh', token }, PULL, true), outside));
  t.equal(again.user, NAME);
  t.equal(state.asked[1], `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`);
  t.same(state.asked[0], state.asked[1]);
});

t.test('made-up JWTs under a name do not shut out the pods that use it', async (t) => {
  const { state, ask, bearer } = made();
  state.says = { outcome: 'refused' };
  for (let count = 0; count <= MAX_FAILURES; count += 1) {
    const address = `198.51.100.${count}`;
    for (const token of [await strange.sign(), await key.sign({ exp: 1_000_000_000 })]) {
      await ask(token, 'token', PULL, address);
      await bearer(token, address);
    }
  }
  state.says = GRANTED;
  t.equal(await ask(await key.sign()), PULL);
  t.equal(await bearer(await key.sign()), PULL);
  t.equal(await ask('hunter2'), 'wait', 'a password under that name waits');
});

t.test('explain finds a login by its name in the log', async (t) => {
  const { tokens, ask } = made();
  await ask(await key.sign());
  t.ok(tokens.remembered(NAME, 'inner/a').remembered);
  t.equal(tokens.remembered(`jwt:${SUBJECT} (https://second)`, 'inner/a').remembered, undefined);
});

t.test('what the authority refuses in one form says nothing of the others', async (t) => {
  for (const says of [{ outcome: 'refused' }, { ...GRANTED, granted: [] }] satisfies UserAnswer[]) {
    const { state, ask, bearer, tokens } = made();
    await ask(await key.sign());
    await ask(await key.sign(), 'another');
    state.says = says;
    await bearer(await key.sign());
    await ask(await key.sign(), 'stranger');
    await ask(await key.sign(), 'another');
    state.says = undefined;
    t.equal(await ask(await key.sign()), PULL, 'a name that was not refused');
    t.equal(await ask(await key.sign(), 'another'), 'unavailable');
    t.equal(await bearer(await key.sign()), 'unavailable');
    t.ok((tokens.remembered(SUBJECT, 'inner/a').remembered?.pullMs ?? 0) > HOUR_MS);
    state.says = says;
    await ask(await key.sign());
    t.equal(tokens.remembered(SUBJECT, 'inner/a').remembered?.pullMs, 0);
    state.says = { ...GRANTED, granted: [] };
    await ask(await key.sign());
    state.says = undefined;
    t.equal(await ask(await key.sign()), 'unavailable', 'what was refused once is granted anew, or not at all');
  }
});
