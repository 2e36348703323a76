import { once } from 'node:events';
import http, { type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { type LabRegistry, startLabRegistry } from '../../../src/lab/registry.ts';
import type { RemoteRegistry } from '../../../src/replication/registry/remote-registry.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';

const never = new AbortController().signal;
const ROBOT = { username: 'robot$copy', password: 'c0py-secret' };
const digestOf = (number: number) => `sha256:${number.toString(16).padStart(64, '0')}`;

async function harbor(t: Test, credentials = ROBOT): Promise<{ lab: LabRegistry; registry: RemoteRegistry }> {
  const lab = await startLabRegistry({ harbor: true, auth: { scheme: 'bearer', users: [ROBOT] } });
  t.teardown(() => lab.close());
  return { lab, registry: remoteRegistry(t, 'harbor', lab.url, { kind: 'harbor', credentials, limit: 100 }) };
}

async function repositories(registry: RemoteRegistry): Promise<string[]> {
  const names: string[] = [];
  for await (const name of registry.repositories(never)) names.push(name);
  return names;
}

const urls = (lab: LabRegistry, kind: string) => lab.requests.filter((one) => one.kind === kind).map(({ url }) => url);

t.test('all repositories, page by page, with the credentials of copies', async (t) => {
  const { lab, registry } = await harbor(t);
  const names = Array.from({ length: 205 }, (_, number) => `library/app-${String(number).padStart(3, '0')}`);
  for (const name of names) lab.seed(name, '1', { blobs: [1] });
  t.strictSame(await repositories(registry), names);
  t.match(urls(lab, 'api'), ['/api/v2.0/users/current', /page=1/, /page=2/, /page=3/], 'who one is comes first');
  t.equal(urls(lab, 'catalog').length, 0);
});

t.test('tags with digests: one request a hundred of them instead of one each', async (t) => {
  const { lab, registry } = await harbor(t);
  const name = 'library/deep/er/app';
  const tags = Array.from({ length: 250 }, (_, number) => String(number));
  const digests = new Map(tags.map((tag) => [tag, lab.seed(name, tag, { blobs: [1], annotations: { tag } }).digest]));
  lab.seed(name, 'again', { blobs: [1], annotations: { tag: '7' } });
  lab.forget();
  const told = await registry.tags(name, never);
  t.strictSame(
    new Map(told.map(({ tag, digest }) => [tag, digest])),
    new Map([...digests, ['again', digests.get('7')]]),
  );
  t.equal(lab.requests.filter(({ kind }) => kind === 'manifest').length, 0);
  t.equal(urls(lab, 'api').length, 3);
  t.match(urls(lab, 'api')[0], '/api/v2.0/projects/library/repositories/deep%252Fer%252Fapp/artifacts?');
  lab.seed('library/one', '1', { blobs: [1] });
  lab.forget();
  t.match(await registry.tags('library/one', never), [{ tag: '1', digest: undefined }]);
  t.equal(urls(lab, 'api').length, 0, 'for a single tag a HEAD costs no more');
});

t.test('signatures, which Harbor leaves out of its list, are tags all the same', async (t) => {
  const { lab, registry } = await harbor(t);
  const { digest } = lab.seed('library/app', '1', { blobs: [1] });
  const signature = `${digest.replace(':', '-')}.sig`;
  lab.seed('library/app', signature, { blobs: [2] });
  const told = new Map((await registry.tags('library/app', never)).map((one) => [one.tag, one.digest]));
  t.strictSame(
    told,
    new Map([
      ['1', digest],
      [signature, undefined],
    ]),
  );
});

t.test('an account that Harbor does not accept lists nothing', async (t) => {
  const { lab, registry } = await harbor(t, { ...ROBOT, password: 'wrong' });
  lab.seed('library/app', '1', { blobs: [1] });
  await t.rejects(repositories(registry), /credentials|401/, 'an empty list of Harbor is not believed');
  t.equal(urls(lab, 'catalog').length, 0, 'nothing is listed for an account that Harbor does not accept');
});

/** A registry with the tags 1 and 2 of every repository, whose API answers as it is told to. */
async function odd(t: Test, api: (path: string, response: ServerResponse) => void) {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    const { url = '' } = request;
    asked.push(url);
    if (url.startsWith('/api/')) return api(url, response);
    const body = url.includes('_catalog') ? { repositories: ['library/app'] } : { tags: ['1', '2'] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { asked, registry: remoteRegistry(t, 'harbor', url, { kind: 'harbor', limit: 50 }) };
}

t.test('whatever else the API answers, the registry is asked', async (t) => {
  for (const [status, body] of [
    [401, '{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized"}]}'],
    [403, '{"errors":[{"code":"FORBIDDEN","message":"forbidden"}]}'],
    [404, ''],
    [302, ''],
    [200, 'null'],
    [200, '[]'],
    [200, '{}'],
    [200, '<!doctype html>'],
    [200, '[7,null,{"name":7},{"digest":"sha256:short","tags":[]},{"digest":"x"}]'],
  ] as const) {
    const { registry } = await odd(t, (_, response) =>
      response.writeHead(status, { location: '/elsewhere' }).end(body),
    );
    t.match(await registry.tags('library/app', never), [
      { tag: '1', digest: undefined },
      { tag: '2', digest: undefined },
    ]);
    const names = await repositories(registry);
    t.ok(names.length === 0 ? body.includes('[7') : names[0] === 'library/app', `${status} ${body}`);
  }
});

t.test('entries that are no tag or no digest are left out', async (t) => {
  const artifacts = [
    { digest: digestOf(1), tags: [{ name: '1' }, { name: 'not a tag' }, 7] },
    { digest: 'sha256:short', tags: [{ name: '2' }] },
    { digest: digestOf(3), tags: [{ name: 'gone meanwhile' }, { name: '3' }] },
  ];
  const { registry } = await odd(t, (_, response) => response.end(JSON.stringify(artifacts)));
  t.match(await registry.tags('library/app', never), [
    { tag: '1', digest: digestOf(1) },
    { tag: '2', digest: undefined },
  ]);
});

t.test('an API that fails is failing, also in the middle of a list', async (t) => {
  const failing = await odd(t, (_, response) => response.writeHead(500).end());
  await t.rejects(repositories(failing.registry), { name: 'CopyError', retryable: true, message: /500/ });
  const page = JSON.stringify(Array.from({ length: 100 }, (_, number) => ({ name: `library/${number}` })));
  const half = await odd(t, (path, response) => {
    response.writeHead(path.includes('&page=1&') ? 200 : 403).end(page);
  });
  await t.rejects(repositories(half.registry), /stopped listing at page 2/, 'half a list is not taken for the whole');
});
