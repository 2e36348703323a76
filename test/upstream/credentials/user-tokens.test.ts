import { Readable } from 'node:stream';
import t from 'tap';
import type { Failure } from '../../../src/failover/classify.ts';
import type { Scope } from '../../../src/oci/scope.ts';
import type { Answer } from '../../../src/upstream/client.ts';
import { UserTokens } from '../../../src/upstream/credentials/user-tokens.ts';
import { HeaderList } from '../../../src/upstream/header-list.ts';
import { MockedTime } from '../../helpers/host-clock.ts';

const ANN = 'Basic YW5uOnNlY3JldA==';
const HARBOR = 'https://harbor.lan';
const CHALLENGE = 'Bearer realm="https://harbor.lan/service/token",service="harbor-registry"';
const PULL: Scope = { type: 'repository', name: 'library/a', actions: ['pull'] };
const PUSH: Scope = { type: 'repository', name: 'library/b', actions: ['pull', 'push'] };

interface Said {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** @param says what the upstream answers to a path; `seen` gets each with the Authorization that it came with */
function users(
  says: (path: string, authorization: string | undefined) => Said | 'nothing',
  upstream = HARBOR,
  realmHosts: string[] = [],
) {
  const seen: string[] = [];
  const reply = (path: string, headers: Record<string, string>): Promise<Answer> => {
    seen.push(`${path} ${headers.authorization ?? '-'}`);
    const said = says(path, headers.authorization);
    if (said === 'nothing') return new Promise(() => undefined);
    const { status, headers: told = {}, body = '' } = said;
    const content = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = {
      status,
      headers: new HeaderList(Object.entries(told)),
      body: Object.assign(Readable.from([Buffer.from(content)]), { dump: () => Promise.resolve() }),
    };
    return Promise.resolve(answer as unknown as Answer);
  };
  const tokens = new UserTokens({
    upstream: new URL(upstream),
    send: (path, headers) => reply(path, headers),
    sendElsewhere: (url, headers) => reply(url.href, headers),
  });
  const { signal } = new AbortController();
  const acquireSlot = () => Promise.resolve(() => undefined);
  const ask = (scopes: Scope[] = [PULL]) => tokens.ask({ basic: ANN, scopes, realmHosts, signal, acquireSlot });
  return { ask, reach: () => tokens.checkReachable(realmHosts, signal), seen };
}

const jwt = (access: unknown, more: object = { sub: 'ann' }) =>
  `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from(JSON.stringify({ access, ...more })).toString('base64url')}.c2ln`;

/** A token service that says this; without credentials the registry challenges. */
const registry =
  (token: Said, challenge = CHALLENGE) =>
  (path: string): Said =>
    path === '/v2/' ? { status: 401, headers: { 'www-authenticate': challenge } } : token;

t.test('a JWT says what it opens: one round trip, and none more once the challenge is known', async (t) => {
  const access = [
    { type: 'repository', name: 'library/a', actions: ['pull', 'delete'] },
    { type: 'repository', name: 'library/b', actions: ['pull'] },
    { type: 'repository', name: 'library/c', actions: ['pull'] },
  ];
  const { ask, seen } = users(registry({ status: 200, body: { token: jwt(access), expires_in: 1800 } }));
  t.strictSame(await ask([PULL, PUSH]), {
    outcome: 'granted',
    authorization: `Bearer ${jwt(access)}`,
    identified: true,
    catalogAuthorization: ANN,
    granted: [PULL, { ...PUSH, actions: ['pull'] }],
    undecided: [],
    expiresIn: 1800,
  });
  await ask([PULL]);
  t.strictSame(
    seen.map((line) => line.replace(/\?.*? /, ' ')),
    ['/v2/ -', `${HARBOR}/service/token ${ANN}`, `${HARBOR}/service/token ${ANN}`],
    'the password goes to the token service only',
  );
  t.match(seen[1], /service=harbor-registry&scope=repository%3Alibrary%2Fa%3Apull&scope=repository%3Alibrary%2Fb/);
});

t.test('a challenge is asked for again after five minutes of any clock, and no login waits for it', async (t) => {
  const time = new MockedTime(t);
  const answers: (Said | 'nothing')[] = [];
  const challenged = { status: 401, headers: { 'www-authenticate': CHALLENGE } };
  const token = { status: 200, body: { token: jwt([PULL]) } };
  const { ask, seen } = users((path) => (path === '/v2/' ? (answers.shift() ?? 'nothing') : token));
  const asked = () => seen.filter((line) => line === '/v2/ -').length;
  answers.push(challenged);
  await ask();
  time.setHostClock(3_600_000);
  time.pass(299_999);
  await ask();
  t.equal(asked(), 1);
  time.setHostClock(-2 * 3_600_000);
  time.pass(1);
  for (const [minutes, times, pause] of [
    [5, 2, 60_000],
    [6, 2, 240_000],
    [10, 3, 300_000],
  ] as const) {
    t.match(await ask(), { outcome: 'granted', granted: [PULL] }, `it does not answer, after ${minutes} minutes`);
    t.equal(asked(), times);
    time.pass(pause);
  }
  answers.push({ status: 401 });
  await ask();
  answers.push(challenged);
  await ask();
  t.equal(asked(), 5, 'without a challenge, the next login asks');
});

t.test('a JWT without access opens nothing', async (t) => {
  for (const access of [null, undefined, []])
    t.match(await users(registry({ status: 200, body: { token: jwt(access) } })).ask(), { granted: [], expiresIn: 60 });
});

t.test('an opaque token is tried; pushes are the upstream’s to refuse', async (t) => {
  const says = (path: string): Said => {
    if (path === '/v2/') return { status: 401, headers: { 'www-authenticate': CHALLENGE } };
    if (path.startsWith('/v2/library/a/')) return { status: 200 };
    if (path.startsWith('/v2/')) return { status: 403 };
    return { status: 200, body: { access_token: 'opaque' } };
  };
  const { ask, seen } = users(says);
  t.match(await ask([PULL, PUSH]), { authorization: 'Bearer opaque', granted: [PULL, { ...PUSH, actions: ['push'] }] });
  t.ok(seen.includes('/v2/library/a/tags/list?n=1 Bearer opaque'));
});

t.test('Basic', async (t) => {
  const says = (path: string, authorization: string | undefined): Said =>
    authorization === ANN || path !== '/v2/'
      ? { status: 200 }
      : { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
  t.match(await users(says).ask(), { outcome: 'granted', authorization: ANN, granted: [PULL], expiresIn: undefined });
  const never = () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } });
  t.strictSame(await users(never).ask(), { outcome: 'refused' });
});

t.test('a wrong password is one only if the upstream still knows how to ask', async (t) => {
  t.match(await users(registry({ status: 401 })).ask(), { outcome: 'refused', tookMs: Number });
  const other = 'Bearer realm="https://harbor.lan/token",service="other"';
  t.strictSame(
    await users(registry({ status: 401 }, other)).ask(),
    { outcome: 'refused' },
    'only Harbor delays refusals',
  );
  let asked = 0;
  const dying = (path: string): Said => {
    if (path !== '/v2/') return { status: 401 };
    asked += 1;
    return { status: 401, headers: asked === 1 ? { 'www-authenticate': CHALLENGE } : {} };
  };
  t.match(
    await users(dying)
      .ask()
      .catch((error: unknown) => error),
    { reason: 'authority-dead' },
  );
});

const OTHER = 'Bearer realm="https://harbor.lan/token",service="other"';

t.test('whose token it is', async (t) => {
  const access = [{ type: 'repository', name: 'library/a', actions: ['pull'] }];
  const rows: [string, claims: object, challenge: string, answer: object][] = [
    ['their own', { sub: 'ann' }, OTHER, { outcome: 'granted', identified: true }],
    ['their own in another spelling', { sub: 'Ann' }, OTHER, { outcome: 'granted', identified: true }],
    ['a name of its own', { sub: '6f1c' }, OTHER, { outcome: 'granted', identified: false }],
    ['a name of Harbor', { sub: 'ann.lee' }, CHALLENGE, { outcome: 'granted', identified: true }],
    ['of nobody, at Harbor', {}, CHALLENGE, { outcome: 'refused', tookMs: Number }],
    ['an empty name, at Harbor', { sub: ' ' }, CHALLENGE, { outcome: 'refused' }],
    ['a name that is none, at Harbor', { sub: 7 }, CHALLENGE, { outcome: 'refused' }],
  ];
  for (const [name, claims, challenge, answer] of rows) {
    const token = { status: 200, body: { token: jwt(access, claims) } };
    t.match(await users(registry(token, challenge)).ask(), answer, name);
  }
});

t.test('tokens that name nobody by design are told from those for wrong passwords', async (t) => {
  const access = [{ type: 'repository', name: 'library/a', actions: ['pull'] }];
  for (const [status, outcome] of [
    [200, 'granted'],
    [401, 'refused'],
    [403, 'refused'],
  ] as const) {
    const says = (path: string): Said => {
      if (path === '/v2/') return { status: 401, headers: { 'www-authenticate': OTHER } };
      if (path.includes('scope=')) return { status: 200, body: { token: jwt(access, {}) } };
      return { status, body: { token: jwt([], {}) } };
    };
    const { ask, seen } = users(says);
    const answer = await ask();
    t.match(answer, { outcome }, `${status} without a scope`);
    if (outcome === 'granted') t.match(answer, { identified: false, granted: [PULL] });
    t.equal(seen.filter((line) => line.includes('/token?')).length, 2, seen.join('\n'));
  }
});

t.test('a token lasts as long as it says itself', async (t) => {
  const tokenWith = (claims: object) =>
    users(registry({ status: 200, body: { token: jwt([], { sub: 'ann', ...claims }), expires_in: 1800 } })).ask();
  t.match(await tokenWith({ iat: 1000, exp: 1600 }), { expiresIn: 600 });
  t.match(await tokenWith({ iat: 1000, exp: 9999 }), { expiresIn: 1800 });
  t.match(await tokenWith({ exp: 1600 }), { expiresIn: 1800 });
  t.match(await tokenWith({ iat: 1600, exp: 1000 }), { expiresIn: 60 });
});

t.test('a page of a proxy is no answer of a registry', async (t) => {
  const page = { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html>' };
  const basicOnly = { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
  const rows: [string, (path: string, authorization: string | undefined) => Said][] = [
    ['Basic', (_, authorization) => (authorization === undefined ? basicOnly : page)],
    [
      'a tag list',
      (path, authorization) =>
        authorization === undefined ? basicOnly : path === '/v2/' ? { status: 200, body: {} } : page,
    ],
    ['a token', registry(page)],
  ];
  for (const [name, says] of rows)
    t.match(
      await users(says)
        .ask()
        .catch((error: unknown) => error),
      { reason: 'malformed' },
      name,
    );
});

t.test('who cannot say', async (t) => {
  const rows: [string, (path: string) => Said, Failure][] = [
    ['no challenge', () => ({ status: 401 }), 'authority-dead'],
    ['an open registry', () => ({ status: 200 }), 'authority-dead'],
    ['5xx', () => ({ status: 502 }), 'status-5xx'],
    ['a token service with 5xx', registry({ status: 503 }), 'status-5xx'],
    ['one with too much to do', registry({ status: 429 }), 'rate-limited'],
    ['one without a token', registry({ status: 200, body: {} }), 'malformed'],
    ['one that is no JSON', registry({ status: 200, body: '<html>' }), 'malformed'],
    ['a token that is no header', registry({ status: 200, body: { token: 'a\r\nb: c' } }), 'malformed'],
    ['a realm elsewhere', registry({ status: 200 }, 'Bearer realm="https://evil.test/token"'), 'malformed'],
    ['a realm in the clear', registry({ status: 200 }, 'Bearer realm="http://harbor.lan/token"'), 'malformed'],
    ['no URL', registry({ status: 200 }, 'Bearer realm="token"'), 'malformed'],
  ];
  for (const [name, says, reason] of rows) {
    const { ask, seen } = users(says);
    t.match(await ask().catch((error: unknown) => error), { reason }, name);
    t.notOk(
      seen.some((line) => line.includes('evil') || line.startsWith('http:')),
      `${name}: no password leaves`,
    );
  }
  const elsewhere = registry({ status: 200, body: { token: jwt([]) } }, 'Bearer realm="https://gitlab.test/jwt/auth"');
  t.match(await users(elsewhere, HARBOR, ['gitlab.test']).ask(), { outcome: 'granted' }, 'a host that is named');
});

t.test('whether users could be asked about, without showing anything of anybody’s', async (t) => {
  for (const status of [200, 400, 401, 403]) {
    const { reach, seen } = users(registry({ status }));
    t.strictSame(await reach(), { by: 'token', host: 'harbor.lan' }, `${status}`);
    t.strictSame(seen, ['/v2/ -', `${HARBOR}/service/token?service=harbor-registry -`]);
  }
  const basicOnly = () => ({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } });
  t.strictSame(await users(basicOnly).reach(), { by: 'basic' });
  const rows: [string, (path: string) => Said, Failure][] = [
    ['no challenge', () => ({ status: 401 }), 'authority-dead'],
    ['an open registry', () => ({ status: 200 }), 'authority-dead'],
    ['a token service with 5xx', registry({ status: 503 }), 'status-5xx'],
    ['none there', registry({ status: 404 }), 'status-5xx'],
    ['one with too much to do', registry({ status: 429 }), 'rate-limited'],
    ['a realm elsewhere', registry({ status: 200 }, 'Bearer realm="https://evil.test/token"'), 'malformed'],
  ];
  for (const [name, says, reason] of rows)
    t.match(
      await users(says)
        .reach()
        .catch((error: unknown) => error),
      { reason },
      name,
    );
});

t.test('a hundred tag lists are read a few at a time, and no more once one fails', async (t) => {
  const scopes = Array.from({ length: 100 }, (_, index) => ({ ...PULL, name: `library/n${index}` }));
  for (const bad of [undefined, 20]) {
    let [now, most, asked] = [0, 0, 0];
    const { promise: go, resolve } = Promise.withResolvers<void>();
    const tokens = new UserTokens({
      upstream: new URL(HARBOR),
      send: async (path, { authorization }) => {
        const list = /n(\d+)\/tags/.exec(path)?.[1];
        now += 1;
        most = Math.max(most, now);
        asked += 1;
        if (list !== undefined) await go;
        now -= 1;
        const status = authorization === undefined ? 401 : Number(list) === bad ? 500 : 200;
        const headers = new HeaderList([['www-authenticate', 'Basic realm="x"']]);
        return { status, headers, body: { dump: () => Promise.resolve() } } as unknown as Answer;
      },
      sendElsewhere: () => Promise.reject(new Error('nothing is elsewhere')),
    });
    let turns = 0;
    const acquireSlot = () => {
      turns += 1;
      return Promise.resolve(() => {
        turns -= 1;
      });
    };
    const { signal } = new AbortController();
    const answer = tokens
      .ask({ basic: ANN, scopes, realmHosts: [], signal, acquireSlot })
      .catch((error: unknown) => error);
    await new Promise((soon) => setImmediate(soon));
    t.equal(now, 8);
    resolve();
    const said = await answer;
    t.equal(most, 8);
    await new Promise((soon) => setImmediate(soon));
    t.equal(turns, 0, 'every place is given back');
    if (bad === undefined) t.strictSame((said as { granted: Scope[] }).granted, scopes, 'in the order asked for');
    else {
      t.match(said, { reason: 'status-5xx' });
      t.ok(asked < 50, `${asked} requests`);
    }
  }
});
