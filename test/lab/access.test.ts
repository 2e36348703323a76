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
