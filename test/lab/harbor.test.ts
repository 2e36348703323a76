import t from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { ask, codeOf } from './ask.ts';

t.test('what Harbor has beside the registry', async (t) => {
  const registry = await startLabRegistry({ harbor: true });
  t.teardown(() => registry.close());
  const get = async (path: string) => ask(registry.url, 'GET', path);
  const json = async (path: string) => JSON.parse((await get(path)).body.toString());

  t.equal((await get('/api/v2.0/ping')).body.toString(), 'Pong');
  t.match(await json('/api/v2.0/health'), { status: 'healthy', components: [{ name: 'core', status: 'healthy' }] });
  await registry.faults.on('unhealthy', { component: 'redis' });
  const sick = await get('/api/v2.0/health');
  t.equal(sick.status, 200, 'whatever it says');
  const { status, components } = JSON.parse(sick.body.toString());
  t.equal(status, 'unhealthy');
  t.match(
    components.filter((one: { status: string }) => one.status !== 'healthy'),
    [{ name: 'redis', error: /./ }],
  );
  await registry.faults.off();

  await registry.faults.on('emptyChallenge401');
  t.match(await json('/api/v2.0/health'), { status: 'unhealthy' });
  t.equal((await get('/api/v2.0/ping')).status, 200, 'Pong without its database');
  for (const path of ['/v2/', '/v2/a/manifests/v1']) {
    const refused = await get(path);
    t.equal(refused.status, 401, path);
    t.equal(refused.headers['www-authenticate'], '', 'an empty challenge');
  }
  await registry.faults.off();

  const page = await get('/');
  t.match(page.headers, { 'set-cookie': [/^sid=/], 'strict-transport-security': /includeSub/, 'alt-svc': /h3/ });
  t.equal((await get('/c/login')).status, 200);
  t.equal((await get('/elsewhere')).status, 404);
});

t.test('read-only mode', async (t) => {
  const registry = await startLabRegistry({ harbor: true });
  t.teardown(() => registry.close());
  const { digest } = registry.seed('a', 'v1', { blobs: [1] });
  await registry.faults.on('readOnly');
  const info = await ask(registry.url, 'GET', '/api/v2.0/systeminfo');
  t.equal(JSON.parse(info.body.toString()).read_only, true);
  for (const [method, path] of [
    ['POST', '/v2/a/blobs/uploads/'],
    ['PUT', '/v2/a/manifests/v2'],
    ['DELETE', `/v2/a/manifests/${digest}`],
  ] as const) {
    const refused = await ask(registry.url, method, path);
    t.equal(refused.status, 403, `${method} ${path}`);
    t.equal(codeOf(refused), 'DENIED');
  }
  t.equal((await ask(registry.url, 'GET', '/v2/a/manifests/v1')).status, 200);
});

t.test('lists of repositories and artifacts', async (t) => {
  const registry = await startLabRegistry({ harbor: true });
  t.teardown(() => registry.close());
  const { digest } = registry.seed('library/deep/app', '1', { blobs: [1] });
  registry.seed('library/deep/app', '2', { blobs: [1] });
  const { digest: untagged } = registry.seed('library/deep/app', '3', { blobs: [3] });
  registry.store.repository('library/deep/app').tags.delete('3');
  registry.seed('library/deep/app', `${digest.replace(':', '-')}.sig`, { blobs: [2] });
  registry.seed('outside', '1', { blobs: [1] });
  const list = async (path: string) => {
    const { status, headers, body } = await ask(registry.url, 'GET', `/api/v2.0${path}`);
    return { status, total: headers['x-total-count'], content: JSON.parse(body.toString()) };
  };
  t.match(await list('/repositories?page=1&page_size=100'), { total: '1', content: [{ name: 'library/deep/app' }] });
  t.match(await list('/repositories?page=2'), { total: '1', content: [] });
  t.equal((await list('/repositories?page_size=101')).status, 422);
  const path = '/projects/library/repositories/deep%252Fapp/artifacts';
  for (const tag of ['1', '2'])
    registry.store.repository('library/deep/app').pushedAt.set(tag, Date.UTC(2025, 10, 21, 3, 30));
  const all = await list(path);
  t.strictSame(
    new Map(all.content.map((one: { digest: string; tags: unknown }) => [one.digest, one.tags])),
    new Map([
      [digest, ['1', '2'].map((name) => ({ name, push_time: '2025-11-21T03:30:00.000Z' }))],
      [untagged, null],
    ]),
    'without signatures',
  );
  t.equal((await list(`${path}?q=tags%3D*`)).content.length, 1);
  t.equal((await list('/projects/library/repositories/none/artifacts')).status, 404);
});
