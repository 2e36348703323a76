import t from 'tap';
import { Authorizer } from '../../../src/upstream/credentials/authorizer.ts';
import { fixedUser, type Login, type OwnUser } from '../../../src/upstream/credentials/own-user.ts';
import type { Token } from '../../../src/upstream/credentials/token-service.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';
import { CLOCK_STEPS, MockedTime } from '../../helpers/host-clock.ts';

const REGISTRY = new URL('https://registry.example.io');
const USER = fixedUser('robot$ci', 'hunter2');
const SCOPES = ['repository:app:pull'];
const bearer = (realm: string) => `Bearer realm="${realm}",service="registry"`;

/** A token service that counts. */
function service(expiresIn = 300) {
  const asked: { realm: string; user: string | undefined }[] = [];
  const fetch = async (realm: URL, login: Login | undefined): Promise<Token> => {
    asked.push({ realm: realm.href, user: login?.username });
    return { value: `token-${asked.length}`, expiresIn };
  };
  return { asked, fetch };
}

t.test('Basic is learnt from the challenge, and sent from then on', async (t) => {
  const authorizer = new Authorizer(REGISTRY, USER, service().fetch);
  t.equal(await authorizer.authorization(SCOPES), undefined);
  t.ok(authorizer.learnChallenge('Basic realm="x"', undefined, SCOPES));
  const basic = await authorizer.authorization(SCOPES);
  t.equal(Buffer.from(basic?.slice(6) ?? '', 'base64').toString(), 'robot$ci:hunter2');
  t.notOk(authorizer.learnChallenge('Basic realm="x"', basic, SCOPES), 'refused: another try is of no use');
});

t.test('a token is asked for once a scope, with the user, and shared by those who wait', async (t) => {
  const { asked, fetch } = service();
  const authorizer = new Authorizer(REGISTRY, USER, fetch);
  authorizer.learnChallenge(bearer('https://registry.example.io/token'), undefined, SCOPES);
  const [one, two] = await Promise.all([authorizer.authorization(SCOPES), authorizer.authorization(SCOPES)]);
  t.equal(one, 'Bearer token-1');
  t.equal(two, one);
  t.equal(await authorizer.authorization(['repository:other:pull']), 'Bearer token-2');
  t.match(asked[0]?.realm, /service=registry&scope=repository%3Aapp%3Apull$/);
  t.equal(asked[0]?.user, 'robot$ci');
});

t.test('a refused token is thrown away', async (t) => {
  const { fetch } = service();
  const authorizer = new Authorizer(REGISTRY, USER, fetch);
  const challenge = bearer('https://registry.example.io/token');
  authorizer.learnChallenge(challenge, undefined, SCOPES);
  const first = await authorizer.authorization(SCOPES);
  t.ok(authorizer.learnChallenge(challenge, first, SCOPES));
  t.equal(await authorizer.authorization(SCOPES), 'Bearer token-2');
});

t.test('refreshed early, beside the request that still uses the old one', async (t) => {
  const time = new MockedTime(t);
  const { asked, fetch } = service(100);
  const authorizer = new Authorizer(REGISTRY, USER, fetch);
  authorizer.learnChallenge(bearer('https://registry.example.io/token'), undefined, SCOPES);
  await authorizer.authorization(SCOPES);
  time.pass(60_000);
  t.equal(await authorizer.authorization(SCOPES), 'Bearer token-1');
  t.equal(asked.length, 1, 'not yet');
  time.pass(10_000);
  t.equal(await authorizer.authorization(SCOPES), 'Bearer token-1', 'the old one serves on');
  t.equal(asked.length, 2);
  await new Promise(setImmediate);
  t.equal(await authorizer.authorization(SCOPES), 'Bearer token-2');
});

for (const [name, step] of Object.entries(CLOCK_STEPS))
  t.test(`tokens last as long as ever if the clock of the host is set ${name}`, async (t) => {
    const time = new MockedTime(t);
    const { asked, fetch } = service();
    const authorizer = new Authorizer(REGISTRY, USER, fetch);
    authorizer.learnChallenge(bearer('https://registry.example.io/token'), undefined, SCOPES);
    time.setHostClock(step);
    t.equal(await authorizer.authorization(SCOPES), 'Bearer token-1');
    time.setHostClock(step);
    time.pass(1000);
    t.equal(await authorizer.authorization(SCOPES), 'Bearer token-1');
    t.equal(asked.length, 1, 'neither ended');
    time.pass(217_000);
    t.equal(await authorizer.authorization(SCOPES), 'Bearer token-1');
    t.equal(asked.length, 2, 'nor prolonged');
    await new Promise(setImmediate);
    time.pass(300_000);
    t.equal(await authorizer.authorization(SCOPES), 'Bearer token-3');
  });

t.test('where the password may go', async (t) => {
  const rows: [realm: string, user: OwnUser | undefined, allowed: boolean][] = [
    ['https://registry.example.io/token', USER, true],
    ['https://auth.example.io/token', USER, true],
    ['https://evil.example.com/token', USER, false],
    ['https://registry.example.io.evil.com/token', USER, false],
    ['http://registry.example.io/token', USER, false],
    ['ftp://registry.example.io/token', USER, false],
    ['nonsense', USER, false],
    ['https://registry.example.io/token', undefined, true],
    ['https://elsewhere.example.com/token', undefined, false],
  ];
  for (const [realm, user, allowed] of rows) {
    const { asked, fetch } = service();
    const authorizer = new Authorizer(REGISTRY, user, fetch, { own: [REGISTRY], hosts: ['auth.example.io'] });
    authorizer.learnChallenge(bearer(realm), undefined, SCOPES);
    const result = await authorizer.authorization(SCOPES).catch((error: unknown) => error);
    t.equal(asked.length, allowed ? 1 : 0, realm);
    if (!user) t.equal(asked[0]?.user, undefined, 'nobody’s password goes anywhere');
    if (allowed) continue;
    t.ok(result instanceof UpstreamError && result.reason === 'credentials', `${realm} is refused`);
    t.notMatch(String(result), /hunter2|aHVudGVyMg/, 'without the password');
  }
});

t.test('a service that fails: the next request asks the upstream anew where to', async (t) => {
  const asked: string[] = [];
  const fetch = async (realm: URL) => {
    asked.push(realm.host);
    if (realm.host === 'auth.example.io') throw new UpstreamError('status-5xx', 'the token service answers 500');
    return { value: 'good', expiresIn: 60 };
  };
  const authorizer = new Authorizer(REGISTRY, USER, fetch, { own: [REGISTRY], hosts: ['auth.example.io'] });
  authorizer.learnChallenge(bearer('https://auth.example.io/token'), undefined, SCOPES);
  await t.rejects(authorizer.authorization(SCOPES), /answers 500/);
  t.equal(await authorizer.authorization(SCOPES), undefined, 'without a token');
  t.ok(authorizer.learnChallenge(bearer('https://registry.example.io/token'), undefined, SCOPES));
  t.equal(await authorizer.authorization(SCOPES), 'Bearer good');
  t.same(asked, ['auth.example.io', 'registry.example.io']);
});

t.test('of two that were refused with one token, both try again, and with one new token', async (t) => {
  const { asked, fetch } = service();
  const authorizer = new Authorizer(REGISTRY, USER, fetch);
  const challenge = bearer('https://registry.example.io/token');
  authorizer.learnChallenge(challenge, undefined, SCOPES);
  const old = await authorizer.authorization(SCOPES);
  t.ok(authorizer.learnChallenge(challenge, old, SCOPES));
  const first = authorizer.authorization(SCOPES);
  t.ok(authorizer.learnChallenge(challenge, old, SCOPES), 'while the new one is fetched');
  t.equal(await first, 'Bearer token-2');
  t.ok(authorizer.learnChallenge(challenge, old, SCOPES), 'after it was');
  t.equal(await authorizer.authorization(SCOPES), 'Bearer token-2');
  t.equal(asked.length, 2);
});

t.test('another challenge for another repository is followed', async (t) => {
  const { asked, fetch } = service();
  const authorizer = new Authorizer(REGISTRY, undefined, fetch);
  // As Google's registries: the challenge of /v2/ names no service, that of a repository does.
  authorizer.learnChallenge('Bearer realm="https://registry.example.io/token"', undefined, SCOPES);
  const first = await authorizer.authorization(SCOPES);
  t.ok(authorizer.learnChallenge(bearer('https://registry.example.io/token'), first, SCOPES));
  t.equal(await authorizer.authorization(SCOPES), 'Bearer token-2');
  t.match(asked[1]?.realm, /service=registry/);
});

t.test('from Basic to Bearer, and back', async (t) => {
  const authorizer = new Authorizer(REGISTRY, USER, service().fetch);
  authorizer.learnChallenge('Basic realm="x"', undefined, SCOPES);
  const basic = await authorizer.authorization(SCOPES);
  t.ok(authorizer.learnChallenge(bearer('https://registry.example.io/token'), basic, SCOPES));
  const token = await authorizer.authorization(SCOPES);
  t.equal(token, 'Bearer token-1');
  t.ok(authorizer.learnChallenge('Basic realm="x"', token, SCOPES));
  t.equal(await authorizer.authorization(SCOPES), basic);
});

t.test('challenges that cannot be used', async (t) => {
  const authorizer = new Authorizer(REGISTRY, undefined, service().fetch);
  for (const header of [undefined, '', 'Basic realm="x"', 'Bearer service="no realm"', 'Negotiate', '@@@'])
    t.notOk(authorizer.learnChallenge(header, undefined, SCOPES), String(header));
  t.equal(await authorizer.authorization(SCOPES), undefined);
  t.ok(authorizer.anonymous);
});

t.test('hosts are the same in any case; an IPv6 address with and without brackets', async (t) => {
  const reach = { own: [REGISTRY], hosts: ['AUTH.example.io', '::1'] };
  for (const realm of [
    'https://auth.EXAMPLE.io/token',
    'https://[::1]:8443/token',
    'https://REGISTRY.example.io/token',
  ]) {
    const { asked, fetch } = service();
    const authorizer = new Authorizer(REGISTRY, USER, fetch, reach);
    authorizer.learnChallenge(bearer(realm), undefined, SCOPES);
    await authorizer.authorization(SCOPES);
    t.equal(asked.length, 1, realm);
  }
});

t.test('as many scopes as may come cost bounded memory, and the tokens in use go on', async (t) => {
  const { asked, fetch } = service();
  const authorizer = new Authorizer(REGISTRY, undefined, fetch);
  authorizer.learnChallenge(bearer('https://registry.example.io/token'), undefined, SCOPES);
  for (let index = 0; index < 5100; index += 1) await authorizer.authorization([`repository:r${index}:pull`]);
  t.equal(asked.length, 5100);
  await authorizer.authorization(['repository:r5099:pull']);
  t.equal(asked.length, 5100, 'the newest is kept');
  await authorizer.authorization(['repository:r0:pull']);
  t.equal(asked.length, 5101, 'the oldest is not');
});

t.test('a token that is refused ahead is forgotten', async (t) => {
  const { fetch } = service();
  const authorizer = new Authorizer(REGISTRY, USER, fetch);
  authorizer.discardToken(SCOPES);
  authorizer.learnChallenge(bearer('https://registry.example.io/token'), undefined, SCOPES);
  await authorizer.authorization(SCOPES);
  authorizer.discardToken(SCOPES);
  t.equal(await authorizer.authorization(SCOPES), 'Bearer token-2');
});

t.test('a service that takes one scope at a time is asked for the first alone', async (t) => {
  const asked: string[][] = [];
  const authorizer = new Authorizer(REGISTRY, USER, async (realm) => {
    const scopes = realm.searchParams.getAll('scope');
    asked.push(scopes);
    if (scopes.length > 1)
      throw new UpstreamError(
        'credentials',
        'the token service answers 400',
        undefined,
        scopes.includes('dead') ? 401 : 400,
      );
    return { value: 'good', expiresIn: 60 };
  });
  authorizer.learnChallenge(bearer('https://registry.example.io/token'), undefined, SCOPES);
  t.equal(await authorizer.authorization(['repository:a:pull,push', 'repository:b:pull']), 'Bearer good');
  t.strictSame(asked, [['repository:a:pull,push', 'repository:b:pull'], ['repository:a:pull,push']]);
  await t.rejects(authorizer.authorization(['repository:a:pull', 'dead']), /answers 400/);
  t.equal(asked.length, 3, 'what is refused for another reason is not asked for again');
});
