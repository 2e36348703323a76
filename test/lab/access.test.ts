import t, { type Test } from 'tap';
import type { LabAuth } from '../../src/lab/access.ts';
import { type LabRegistryOptions, startLabRegistry } from '../../src/lab/registry.ts';
import { parseChallenges } from '../../src/oci/challenge.ts';
import { type Asked, ask } from './ask.ts';

const users: LabAuth['users'] = [
  { username: 'admin', password: 'a:colon' },
  { username: 'robot$probe', password: 'secret', repositories: ['library/'], actions: ['pull'] },
];
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

async function start(t: Test, auth: Partial<LabAuth>, options: LabRegistryOptions = {}) {
  const registry = await startLabRegistry({ ...options, auth: { scheme: 'bearer', users, ...auth } });
  t.teardown(() => registry.close());
  registry.seed('library/app', 'v1', { blobs: [10] });
  registry.seed('other/app', 'v1', { blobs: [10] });
  const get = (path: string, authorization?: string, method = 'GET') =>
    ask(registry.url, method, path, authorization === undefined ? {} : { headers: { authorization } });
  const token = async (query: string, authorization?: string) => {
    const { status, body } = await get(`/token?${query}`, authorization);
    return status === 200 ? `Bearer ${JSON.parse(body.toString()).token}` : String(status);
  };
  return { registry, get, token };
}

const challengeOf = ({ headers }: Asked) => parseChallenges(headers['www-authenticate'])[0];

t.test('Basic', async (t) => {
  const { get } = await start(t, { scheme: 'basic' });
  const rows: [method: string, path: string, credentials: string | undefined, status: number][] = [
    ['GET', '/v2/', undefined, 401],
    ['GET', '/v2/', basic('admin:wrong'), 401],
    ['GET', '/v2/', basic('admin'), 401],
    ['GET', '/v2/', basic('admin:a:colon'), 200],
    ['GET', '/v2/library/app/manifests/v1', undefined, 401],
    ['GET', '/v2/library/app/manifests/v1', basic('robot$probe:secret'), 200],
    ['GET', '/v2/other/app/manifests/v1', basic('robot$probe:secret'), 403],
    ['GET', '/v2/other/app/manifests/v1', basic('admin:a:colon'), 200],
    ['POST', '/v2/library/app/blobs/uploads/', basic('robot$probe:secret'), 403],
    ['POST', '/v2/library/app/blobs/uploads/', basic('admin:a:colon'), 202],
    ['GET', '/v2/_catalog', basic('robot$probe:secret'), 403],
    ['GET', '/v2/_catalog', basic('admin:a:colon'), 200],
    ['GET', '/token', basic('admin:a:colon'), 404],
  ];
  for (const [method, path, credentials, status] of rows)
    t.equal((await get(path, credentials, method)).status, status, `${method} ${path} as ${credentials}`);
  t.equal(challengeOf(await get('/v2/'))?.scheme, 'basic');
});

t.test('Bearer: a token is good for what was asked and permitted, and no more', async (t) => {
  const { registry, get, token } = await start(t, { anonymous: ['library/app'] });
  const manifest = '/v2/library/app/manifests/v1';
  const challenge = challengeOf(await get(manifest));
  t.match(challenge, {
    scheme: 'bearer',
    parameters: { realm: `${registry.url}/token`, service: 'lab', scope: 'repository:library/app:pull' },
  });
  t.equal(challenge?.parameters.error, undefined);
  t.equal(challengeOf(await get(manifest, 'Bearer made-up'))?.parameters.error, 'invalid_token');

  const pull = await token('scope=repository:library/app:pull', basic('admin:a:colon'));
  t.equal((await get(manifest, pull)).status, 200);
  t.equal((await get('/v2/', pull)).status, 200);
  t.equal(challengeOf(await get('/v2/other/app/manifests/v1', pull))?.parameters.error, 'insufficient_scope');
  t.equal((await get('/v2/library/app/blobs/uploads/', pull, 'POST')).status, 401);
  t.equal((await get(manifest, basic('admin:a:colon'))).status, 401, 'Basic is for the token service');

  const both = await token(
    'scope=repository:other/app:pull%20repository:library/app:pull,push',
    basic('robot$probe:secret'),
  );
  t.equal((await get(manifest, both)).status, 200, 'a part is granted');
  t.equal((await get('/v2/library/app/blobs/uploads/', both, 'POST')).status, 401, 'and the rest is not');
  t.equal((await get('/v2/other/app/manifests/v1', both)).status, 401);

  const nobody = await token('scope=repository:library/app:pull,push&scope=repository:other/app:pull');
  t.equal((await get(manifest, nobody)).status, 200, 'anonymous');
  t.equal((await get('/v2/library/app/blobs/uploads/', nobody, 'POST')).status, 401);
  t.equal((await get('/v2/other/app/manifests/v1', nobody)).status, 401);

  t.equal(await token('scope=registry:catalog:*', basic('admin:wrong')), '401');
  const all = await token('scope=registry:catalog:*', basic('admin:a:colon'));
  t.equal((await get('/v2/_catalog', all)).status, 200);
  t.equal((await get('/token', undefined, 'POST')).status, 405);
});

t.test('Bearer: tokens expire, and the realm may be elsewhere', async (t) => {
  const { get, token } = await start(t, { expiresIn: 0, realm: 'http://auth.example/t', service: 'mine' });
  const old = await token('scope=repository:library/app:pull', basic('admin:a:colon'));
  t.match(challengeOf(await get('/v2/library/app/manifests/v1', old)), {
    parameters: { realm: 'http://auth.example/t', service: 'mine', error: 'invalid_token' },
  });
});

t.test('a mount needs the right to read where it comes from', async (t) => {
  const { registry, get } = await start(t, {
    scheme: 'basic',
    users: [{ username: 'u', password: 'p', repositories: ['library/'] }],
  });
  const [blob] = registry.store.repositories.get('other/app')?.blobs ?? [];
  const mount = (from: string) =>
    get(`/v2/library/new/blobs/uploads/?mount=${blob}&from=${from}`, basic('u:p'), 'POST');
  t.equal((await mount('other/app')).status, 202);
  t.equal((await mount('library/app')).status, 201);
});

t.test('as Harbor: Basic too, its own token path, and what only users see', async (t) => {
  const { registry, get } = await start(t, {}, { harbor: true });
  t.match(challengeOf(await get('/v2/')), {
    parameters: { realm: `${registry.url}/service/token`, service: 'harbor-registry' },
  });
  t.equal((await get('/v2/library/app/manifests/v1', basic('robot$probe:secret'))).status, 200);
  t.equal((await get('/service/token?scope=repository:library/app:pull', basic('robot$probe:secret'))).status, 200);
  const info = async (credentials?: string) =>
    JSON.parse((await get('/api/v2.0/systeminfo', credentials)).body.toString());
  t.notHas(await info(), { read_only: false });
  t.match(await info(basic('robot$probe:secret')), { read_only: false, harbor_version: /^v2/ });
});

/** The claims of a token, without checking it. */
const claimsOf = ({ body }: Asked) =>
  JSON.parse(Buffer.from(JSON.parse(body.toString()).token.split('.')[1], 'base64url').toString());
const PULL = '/service/token?service=harbor-registry&scope=repository:library/app:pull';

t.test(
  'as Harbor: a token names its user and what it opens; a login that fails gets the token of nobody',
  async (t) => {
    const { get } = await start(t, { anonymous: ['other/app'], lockMs: 50 }, { harbor: true });
    const right = await get(PULL, basic('robot$probe:secret'));
    t.match(claimsOf(right), {
      iss: 'harbor-token-issuer',
      sub: 'robot$probe',
      aud: ['harbor-registry'],
      access: [{ type: 'repository', name: 'library/app', actions: ['pull'] }],
    });
    const { iat, exp } = claimsOf(right);
    t.equal(exp - iat, 300);
    const admin = await get(`${PULL}&scope=repository:other/app:pull`, basic('admin:a:colon'));
    t.match(claimsOf(admin).access[1], { name: 'other/app', actions: ['pull', 'push', 'delete'] }, 'all that she may');
    const wrong = await get(`${PULL}&scope=repository:other/app:pull&offline_token=true`, basic('admin:wrong'));
    t.equal(wrong.status, 200, 'a wrong password with a scope');
    t.equal(claimsOf(wrong).sub, undefined);
    t.strictSame(
      claimsOf(wrong).access.map(({ actions }: { actions: string[] }) => actions),
      [[], ['pull']],
      'what is public',
    );
    t.equal(JSON.parse(wrong.body.toString()).refresh_token, undefined, 'no refresh tokens');
    const bare = await get('/service/token?service=harbor-registry', basic('admin:wrong'));
    t.match({ status: bare.status, body: bare.body.toString() }, { status: 401, body: '' }, 'without a scope');
    t.equal((await get('/service/token?service=harbor-registry')).status, 401);
  },
);

t.test('as Harbor: a wrong password locks its name for 1.5 s, robots aside', async (t) => {
  const { get } = await start(t, { users: [...users, { username: 'ann', password: 'right' }] }, { harbor: true });
  const wrong = get(PULL, basic('ann:wrong'));
  const began = performance.now();
  await get(PULL, basic('robot$probe:wrong'));
  t.ok(performance.now() - began > 1400, 'a refusal takes its time');
  await wrong;
  t.equal(claimsOf(await get(PULL, basic('ann:right'))).sub, 'ann');
  const again = get(PULL, basic('ann:wrong'));
  const robot = get(PULL, basic('robot$probe:wrong'));
  const locked = claimsOf(await get(PULL, basic('ann:right')));
  t.equal(locked.sub, undefined);
  t.same(locked.access[0].actions, []);
  t.equal((await get('/service/token?service=harbor-registry', basic('ann:right'))).status, 401);
  t.equal(claimsOf(await get(PULL, basic('robot$probe:secret'))).sub, 'robot$probe');
  await Promise.all([again, robot]);
  t.equal(claimsOf(await get(PULL, basic('ann:right'))).sub, 'ann', 'for a moment');
});

t.test('as Harbor: the catalog takes Basic only, of an administrator', async (t) => {
  const { get, token } = await start(t, { tokenPath: '/token' }, { harbor: true });
  const all = await token('scope=registry:catalog:*', basic('admin:a:colon'));
  const rows: [credentials: string | undefined, status: number][] = [
    [basic('admin:a:colon'), 200],
    [basic('admin:wrong'), 401],
    [basic('robot$probe:secret'), 401],
    [all, 401],
    [undefined, 401],
  ];
  for (const [credentials, status] of rows) {
    const reply = await get('/v2/_catalog', credentials);
    t.equal(reply.status, status, String(credentials));
    if (status === 401) t.equal(reply.headers['www-authenticate'], 'Basic realm="harbor"');
  }
});

t.test('as Harbor: a public project is open without a login', async (t) => {
  const { get, token } = await start(t, { anonymous: ['other/app'], tokenPath: '/token' }, { harbor: true });
  const nobody = await token('scope=repository:other/app:pull,push');
  const rows: [method: string, path: string, credentials: string | undefined, status: number][] = [
    ['GET', '/v2/other/app/manifests/v1', undefined, 200],
    ['HEAD', '/v2/other/app/manifests/v1', undefined, 401],
    ['HEAD', '/v2/other/app/manifests/v1', nobody, 200],
    ['POST', '/v2/other/app/blobs/uploads/', nobody, 401],
    ['POST', '/v2/other/app/blobs/uploads/', undefined, 401],
    ['GET', '/v2/library/app/manifests/v1', undefined, 401],
    ['GET', '/v2/library/app/manifests/v1', nobody, 401],
  ];
  for (const [method, path, credentials, status] of rows)
    t.equal((await get(path, credentials, method)).status, status, `${method} ${path} ${credentials === nobody}`);
});

t.test('as Harbor with its database down', async (t) => {
  const { registry, get } = await start(t, { anonymous: ['public/'] }, { harbor: true });
  const PUBLIC = PULL.replace('library/app', 'public/app');
  t.match(claimsOf(await get(PUBLIC)), { access: [{ name: 'public/app', actions: ['pull'] }] });
  const token = `Bearer ${JSON.parse((await get(PULL, basic('admin:a:colon'))).body.toString()).token}`;
  await registry.faults.on('databaseDown', { ms: 200 });
  const healthy = async () => JSON.parse((await get('/api/v2.0/health')).body.toString());
  t.match(await healthy(), { status: 'healthy' }, 'it does not know yet');
  const manifest = '/v2/library/app/manifests/v1';
  const rows: [method: string, path: string, credentials: string | undefined, challenge: string | RegExp][] = [
    ['GET', '/v2/', undefined, /^Bearer realm=".*\/service\/token",service="harbor-registry"$/],
    ['GET', '/v2/', basic('admin:a:colon'), 'Basic realm="harbor"'],
    ['GET', '/v2/_catalog', token, 'Basic realm="harbor"'],
    ['GET', manifest, undefined, /^Bearer /],
    ['GET', manifest, token, ''],
    ['HEAD', manifest, basic('admin:a:colon'), ''],
    ['POST', '/v2/library/app/blobs/uploads/', undefined, ''],
    ['POST', '/v2/library/app/blobs/uploads/', token, ''],
  ];
  for (const [method, path, credentials, challenge] of rows) {
    const { status, headers } = await get(path, credentials, method);
    t.match({ status, challenge: headers['www-authenticate'] }, { status: 401, challenge }, `${method} ${path}`);
  }
  t.equal((await get('/v2/', token)).status, 200, 'a token is verified without it');
  const bare = await get('/service/token?service=harbor-registry', basic('admin:a:colon'));
  t.match({ status: bare.status, body: bare.body.toString() }, { status: 401, body: '' });
  const began = performance.now();
  const scoped = await get(PULL, basic('admin:a:colon'));
  t.ok(performance.now() - began < 1000, 'at once');
  t.equal(claimsOf(scoped).sub, undefined);
  t.same(claimsOf(scoped).access, [{ type: 'repository', name: 'library/app', actions: [] }]);
  t.same(
    claimsOf(await get(PUBLIC)).access,
    [{ type: 'repository', name: 'public/app', actions: [] }],
    'nor what is public',
  );
  t.equal((await get('/v2/public/app/manifests/v1')).status, 401);
  t.equal((await get('/api/v2.0/users/current', basic('admin:a:colon'))).status, 401);
  while ((await healthy()).status === 'healthy') await new Promise((soon) => setTimeout(soon, 20));
  t.match(
    (await healthy()).components.filter(({ status }: { status: string }) => status !== 'healthy'),
    [{ name: 'database' }],
  );
  await registry.faults.off();
  t.equal(claimsOf(await get(PULL, basic('admin:a:colon'))).sub, 'admin');
});
