import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { type Asked, ask, codeOf } from './ask.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const sha256 = (text: string | Buffer) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const NONE = sha256('none of this is here');

t.test('every endpoint answers as the distribution-spec has it', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const { digest, blobDigests, manifest } = registry.seed('library/app', 'v1', { blobs: [Buffer.from('0123456789')] });
  const [blob = ''] = blobDigests;
  const v2 = '/v2/library/app';

  const rows: [method: string, path: string, status: number, check?: (t: Test, asked: Asked) => void][] = [
    ['GET', '/v2/', 200, (t, { headers }) => t.equal(headers['docker-distribution-api-version'], 'registry/2.0')],
    ['HEAD', '/v2/', 200],
    [
      'GET',
      `${v2}/manifests/v1`,
      200,
      (t, { body, headers }) => {
        t.ok(body.equals(manifest));
        t.match(headers, { 'content-type': MANIFEST, 'docker-content-digest': digest });
      },
    ],
    [
      'HEAD',
      `${v2}/manifests/${digest}`,
      200,
      (t, { body, headers }) => {
        t.equal(body.length, 0);
        t.match(headers, { 'content-length': String(manifest.length), 'docker-content-digest': digest });
      },
    ],
    ['GET', `${v2}/manifests/v2`, 404, (t, asked) => t.equal(codeOf(asked), 'MANIFEST_UNKNOWN')],
    ['GET', `${v2}/manifests/${NONE}`, 404],
    [
      'GET',
      `${v2}/blobs/${blob}`,
      200,
      (t, { body, headers }) => {
        t.equal(body.toString(), '0123456789');
        t.match(headers, { 'content-length': '10', 'docker-content-digest': blob, 'accept-ranges': 'bytes' });
      },
    ],
    ['HEAD', `${v2}/blobs/${blob}`, 200, (t, { headers }) => t.equal(headers['content-length'], '10')],
    ['GET', `${v2}/blobs/${NONE}`, 404, (t, asked) => t.equal(codeOf(asked), 'BLOB_UNKNOWN')],
    ['GET', `/v2/library/other/blobs/${blob}`, 404, (t) => t.pass('a blob is had through its repositories only')],
    [
      'GET',
      `${v2}/tags/list`,
      200,
      (t, { body }) => t.strictSame(JSON.parse(body.toString()), { name: 'library/app', tags: ['v1'] }),
    ],
    ['GET', '/v2/library/none/tags/list', 404, (t, asked) => t.equal(codeOf(asked), 'NAME_UNKNOWN')],
    [
      'GET',
      `${v2}/referrers/${NONE}`,
      200,
      (t, { body, headers }) => {
        t.strictSame(JSON.parse(body.toString()).manifests, []);
        t.equal(headers['content-type'], INDEX);
      },
    ],
    ['GET', `${v2}/referrers/sha256:xyz`, 400],
    [
      'GET',
      '/v2/_catalog',
      200,
      (t, { body }) => t.strictSame(JSON.parse(body.toString()), { repositories: ['library/app'] }),
    ],
    ['POST', '/v2/', 405],
    ['GET', '/v2/Library/manifests/v1', 400, (t, asked) => t.equal(codeOf(asked), 'NAME_INVALID')],
    ['GET', '/', 404],
    ['DELETE', `${v2}/blobs/${NONE}`, 404],
    ['DELETE', `${v2}/manifests/v2`, 404],
    ['DELETE', `${v2}/manifests/v1`, 202, (t) => t.ok(registry.store.manifest('library/app', digest), 'the tag alone')],
    ['DELETE', `${v2}/manifests/${digest}`, 202],
    ['GET', `${v2}/manifests/${digest}`, 404],
    ['DELETE', `${v2}/blobs/${blob}`, 202],
    ['GET', `${v2}/blobs/${blob}`, 404],
  ];
  for (const [method, path, status, check] of rows) {
    const asked = await ask(registry.url, method, path);
    t.equal(asked.status, status, `${method} ${path}: ${status}`);
    check?.(t, asked);
  }
  t.equal(registry.requests.length, rows.length);
  t.equal(registry.writes, rows.filter(([method]) => method !== 'GET' && method !== 'HEAD').length);
  registry.forget();
  t.equal(registry.requests.length + registry.writes, 0);
});

t.test('a manifest is taken only as it was announced', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const { configDigest, digest } = registry.seed('a', 'v1', { blobs: [Buffer.from('x')] });
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: 2 };
  const put = (reference: string, document: unknown, type: string | undefined = MANIFEST) =>
    ask(registry.url, 'PUT', `/v2/a/manifests/${reference}`, {
      body: typeof document === 'string' ? document : JSON.stringify(document),
      headers: type === '' ? {} : { 'content-type': type },
    });
  const good = { schemaVersion: 2, mediaType: MANIFEST, config, layers: [], annotations: { a: 'b' } };

  const taken = await put('v2', good);
  t.equal(taken.status, 201);
  const own = sha256(JSON.stringify(good));
  t.match(taken.headers, { location: `/v2/a/manifests/${own}`, 'docker-content-digest': own });
  t.equal((await put(own, good)).status, 201, 'by digest');
  const sha512 = `sha512:${createHash('sha512').update(JSON.stringify(good)).digest('hex')}`;
  t.equal((await put(sha512, good)).status, 201, 'and by another algorithm');

  const refused: [string, Promise<Asked>, number, string][] = [
    ['another digest', put(NONE, good), 400, 'DIGEST_INVALID'],
    [
      'a blob that is not here',
      put('v3', { ...good, layers: [{ ...config, digest: NONE }] }),
      400,
      'MANIFEST_BLOB_UNKNOWN',
    ],
    [
      'a child that is not here',
      put('v3', { schemaVersion: 2, manifests: [{ digest: NONE }] }, INDEX),
      400,
      'MANIFEST_BLOB_UNKNOWN',
    ],
    ['another media type', put('v3', good, INDEX), 400, 'MANIFEST_INVALID'],
    ['no media type', put('v3', { ...good, mediaType: undefined }, ''), 400, 'MANIFEST_INVALID'],
    ['no JSON', put('v3', '{'), 400, 'MANIFEST_INVALID'],
    ['another schema', put('v3', { ...good, schemaVersion: 1 }), 400, 'MANIFEST_INVALID'],
    ['too long', put('v3', `${JSON.stringify(good)}${' '.repeat(4 * 1024 ** 2)}`), 413, 'SIZE_INVALID'],
  ];
  for (const [what, asked, status, code] of refused) {
    t.equal((await asked).status, status, what);
    t.equal(codeOf(await asked), code, what);
  }
  t.equal(
    (await put('v3', { schemaVersion: 2, manifests: [{ digest }] }, INDEX)).status,
    201,
    'an index of what is here',
  );
  const foreign = { ...config, digest: NONE, urls: ['https://elsewhere.example/blob'] };
  t.equal((await put('v4', { ...good, layers: [foreign] })).status, 201, 'what is elsewhere need not be here');
});

t.test('an unchanged manifest or blob is 304', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const { blobDigests } = registry.seed('a', 'v1', { blobs: [10] });
  for (const path of ['/v2/a/manifests/v1', `/v2/a/blobs/${blobDigests[0]}`]) {
    const { headers } = await ask(registry.url, 'GET', path);
    const again = await ask(registry.url, 'GET', path, { headers: { 'if-none-match': String(headers.etag) } });
    t.equal(again.status, 304, path);
    t.equal(again.body.length, 0);
  }
});

t.test('referrers are listed, filtered and announced', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const { digest, configDigest } = registry.seed('a', 'v1', { blobs: [10] });
  const config = { mediaType: 'application/x.empty', digest: configDigest, size: 2 };
  for (const artifactType of ['application/x.sbom', 'application/x.signature', undefined]) {
    const document = { schemaVersion: 2, mediaType: MANIFEST, artifactType, config, layers: [], subject: { digest } };
    const body = JSON.stringify(document);
    const taken = await ask(registry.url, 'PUT', `/v2/a/manifests/${sha256(body)}`, {
      body,
      headers: { 'content-type': MANIFEST },
    });
    t.match({ status: taken.status, subject: taken.headers['oci-subject'] }, { status: 201, subject: digest });
  }
  const all = await ask(registry.url, 'GET', `/v2/a/referrers/${digest}`);
  const types = (asked: Asked) =>
    JSON.parse(asked.body.toString())
      .manifests.map((one: { artifactType: string }) => one.artifactType)
      .sort();
  t.strictSame(types(all), ['application/x.empty', 'application/x.sbom', 'application/x.signature']);
  t.equal(all.headers['oci-filters-applied'], undefined);
  const some = await ask(registry.url, 'GET', `/v2/a/referrers/${digest}?artifactType=application/x.sbom`);
  t.strictSame(types(some), ['application/x.sbom']);
  t.equal(some.headers['oci-filters-applied'], 'artifactType');
});

t.test('a registry without the referrers API', async (t) => {
  const registry = await startLabRegistry({ referrers: false });
  t.teardown(() => registry.close());
  const { digest, configDigest } = registry.seed('a', 'v1', { blobs: [10] });
  const config = { mediaType: 'application/x.empty', digest: configDigest, size: 2 };
  const body = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [], subject: { digest } });
  const put = { body, headers: { 'content-type': MANIFEST } };
  const taken = await ask(registry.url, 'PUT', `/v2/a/manifests/${sha256(body)}`, put);
  t.match({ status: taken.status, subject: taken.headers['oci-subject'] }, { status: 201, subject: undefined });
  const none = await ask(registry.url, 'GET', `/v2/a/referrers/${digest}`);
  t.match(none, { status: 404, headers: { 'content-type': /^text\/plain/ } }, 'as docker-registry 2.8 answers');
});

t.test('lists are paged', async (t) => {
  const registry = await startLabRegistry({ locations: 'absolute', pageSize: 3 });
  t.teardown(() => registry.close());
  for (const name of ['d', 'b', 'a', 'c']) {
    registry.seed(`x/${name}`, 'v1', { blobs: [1] });
    registry.seed('y', name, { blobs: [1] });
  }
  for (const [path, key] of [
    ['/v2/_catalog', 'repositories'],
    ['/v2/y/tags/list', 'tags'],
  ] as const) {
    const seen: string[][] = [];
    let next: string | undefined = `${path}?n=2`;
    while (next) {
      const { body, headers }: Asked = await ask(registry.url, 'GET', next);
      seen.push(JSON.parse(body.toString())[key]);
      next = /^<(http:[^>]+)>; rel="next"$/.exec(String(headers.link ?? ''))?.[1]?.slice(registry.url.length);
    }
    t.strictSame(seen.flat(), key === 'tags' ? ['a', 'b', 'c', 'd'] : ['x/a', 'x/b', 'x/c', 'x/d', 'y']);
    t.equal(seen[0]?.length, 2);
    t.equal(
      JSON.parse((await ask(registry.url, 'GET', path)).body.toString())[key].length,
      3,
      'a page has a limit of its own',
    );
    t.strictSame(JSON.parse((await ask(registry.url, 'GET', `${path}?n=0`)).body.toString())[key], []);
    t.equal((await ask(registry.url, 'GET', `${path}?n=-1`)).status, 400);
  }
});

t.test('what is remembered is bounded', async (t) => {
  const registry = await startLabRegistry({ maxRequests: 2 });
  t.teardown(() => registry.close());
  for (const path of ['/v2/', '/v2/_catalog', '/nowhere?x=1'])
    await ask(registry.url, 'GET', path, { headers: { 'x-own': 'y' } });
  t.strictSame(
    registry.requests.map(({ url, kind, status }) => ({ url, kind, status })),
    [
      { url: '/v2/_catalog', kind: 'catalog', status: 200 },
      { url: '/nowhere?x=1', kind: 'ui', status: 404 },
    ],
  );
  t.match(registry.requests[0]?.headers, { 'x-own': 'y' });
});
