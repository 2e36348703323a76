import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { type FrontRule, RegistryFront } from '../../helpers/registry-front.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';

const { signal } = new AbortController();
const DIGEST = `sha256:${'a'.repeat(64)}`;

type Answers = (
  method: string,
  url: URL,
  asked: number,
) => { status?: number; headers?: Record<string, string>; body?: unknown };

async function registry(t: Test, answers: Answers, limit = 300) {
  const asked: string[] = [];
  const rule: FrontRule = async ({ method = '', url = '' }, response) => {
    if (method === 'GET' && url === '/v2/') return 'pass';
    asked.push(`${method} ${url}`);
    const { status = 200, headers = {}, body = '' } = answers(method, new URL(url, 'http://x'), asked.length);
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    response.writeHead(status, { 'content-length': String(bytes.length), ...headers });
    response.end(method === 'HEAD' ? undefined : bytes);
    return 'answered';
  };
  const front = await new RegistryFront(t, rule).listen();
  return { remote: remoteRegistry(t, 'gcr', `http://${front.address}`, { limit }), asked };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

t.test('lists that never end', async (t) => {
  const again = await registry(t, () => ({
    body: { repositories: ['a', 'b'] },
    headers: { link: '</v2/_catalog?last=b>; rel="next"' },
  }));
  t.strictSame(await all(again.remote.repositories(signal)), ['a', 'b', 'a', 'b'].slice(0, again.asked.length * 2));
  t.equal(again.asked.length, 2, 'one that repeats itself is left');
  const tags = await registry(t, () => ({
    body: { tags: ['1'] },
    headers: { link: '</v2/app/tags/list?last=1>; rel="next"' },
  }));
  t.strictSame(await tags.remote.tags('app', signal), [{ tag: '1', digest: undefined }]);
  t.equal(tags.asked.length, 2);
});

t.test('lists page by page', async (t) => {
  const { remote, asked } = await registry(t, (_, url) =>
    url.searchParams.get('last') === 'b'
      ? { body: { repositories: ['c'] } }
      : { body: { repositories: ['a', 'b'] }, headers: { link: '</v2/_catalog?n=2&last=b>; rel="next"' } },
  );
  t.strictSame(await all(remote.repositories(signal)), ['a', 'b', 'c']);
  t.strictSame(asked, ['GET /v2/_catalog?n=1000', 'GET /v2/_catalog?n=2&last=b']);
});

t.test('a page without a name is not the last one, if it says so', async (t) => {
  // Such as that of a registry that leaves out what one may not see.
  const pages = (field: string) =>
    registry(t, (_, url) => {
      const at = url.searchParams.get('last') ?? '0';
      const link = { link: `<${url.pathname}?last=${Number(at) + 1}>; rel="next"` };
      return { body: { [field]: at === '2' ? ['a'] : [] }, headers: at === '2' ? {} : link };
    });
  t.strictSame(await all((await pages('repositories')).remote.repositories(signal)), ['a']);
  t.strictSame(await (await pages('tags')).remote.tags('app', signal), [{ tag: 'a', digest: undefined }]);
  const endless = await registry(t, () => ({ body: { tags: [] }, headers: { link: '</v2/x?last=1>; rel="next"' } }));
  t.strictSame(await endless.remote.tags('app', signal), []);
  t.equal(endless.asked.length, 2);
});

t.test('a body that is no list is not taken for an empty list', async (t) => {
  for (const body of ['<html>', '', '{"tags":["1"', [], { tags: 'x' }, { errors: [{ code: 'UNKNOWN' }] }]) {
    const { remote } = await registry(t, () => ({ body }));
    const said = JSON.stringify(body);
    await t.rejects(remote.tags('app', signal), { message: /does not list the tags of app \(200: .*no list/ }, said);
  }
  const page = await registry(t, () => ({ body: '<html>' }));
  await t.rejects(all(page.remote.repositories(signal)), {
    message: /does not list its repositories \(200: .*no list/,
  });
  await t.rejects(page.remote.isEmpty('app', signal), { message: /no list/ });
  for (const body of [{ name: 'app' }, { name: 'app', tags: null }]) {
    const { remote } = await registry(t, () => ({ body }));
    t.strictSame(await remote.tags('app', signal), []);
  }
});

t.test('a repository that goes while it is read was not read', async (t) => {
  const { remote } = await registry(t, (_, url) =>
    url.searchParams.has('last')
      ? { status: 404 }
      : { body: { tags: ['1'] }, headers: { link: '</v2/app/tags/list?last=1>; rel="next"' } },
  );
  await t.rejects(remote.tags('app', signal), { message: /does not list the tags of app \(404\)/ });
});

t.test('digests', async (t) => {
  const told = await registry(t, () => ({ headers: { 'docker-content-digest': DIGEST } }));
  t.equal(await told.remote.resolveDigest('app', '1', signal), DIGEST);
  const bytes = Buffer.from('{}');
  const own = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  for (const headers of [{}, { 'docker-content-digest': 'nonsense' }]) {
    const untold = await registry(t, () => ({ headers, body: bytes }));
    t.equal(await untold.remote.resolveDigest('app', '1', signal), own, 'it is read');
    t.strictSame(untold.asked, ['HEAD /v2/app/manifests/1', 'GET /v2/app/manifests/1']);
  }
  const refused = await registry(t, (method) => (method === 'HEAD' ? { status: 405 } : { body: bytes }));
  t.equal(await refused.remote.resolveDigest('app', '1', signal), own);
  const absent = await registry(t, () => ({ status: 404 }));
  t.equal(await absent.remote.resolveDigest('app', '1', signal), undefined);
  const denied = await registry(t, () => ({ status: 403 }));
  await t.rejects(denied.remote.resolveDigest('app', '1', signal), {
    message: 'gcr does not return the digest of app:1 (403)',
    retryable: false,
  });
  t.equal(denied.asked.length, 1);
});

t.test('temporary failures are retried', async (t) => {
  for (const [status, headers] of [
    [500, {}],
    [502, {}],
    [408, {}],
    [429, { 'retry-after': '0' }],
    [503, { 'retry-after': new Date(Date.now() + 500).toUTCString() }],
    [401, { 'www-authenticate': '' }],
  ] as const) {
    const { remote, asked } = await registry(t, (_, __, count) => (count < 3 ? { status, headers } : {}), 5000);
    t.equal(await remote.hasBlob('app', DIGEST, signal), true, `${status}`);
    t.equal(asked.length, 3);
  }
  for (const status of [400, 403, 405, 501]) {
    const { remote, asked } = await registry(t, () => ({ status }));
    await t.rejects(remote.hasBlob('app', DIGEST, signal), { name: 'CopyError', retryable: false, status });
    t.equal(asked.length, 1, `${status} is for good`);
  }
});

t.test('manifests', async (t) => {
  const gzip = await registry(t, () => ({ headers: { 'content-encoding': 'gzip' }, body: 'x' }));
  await t.rejects(gzip.remote.manifest('app', DIGEST, signal), {
    message: /does not serve the manifest app@sha256:.* in the encoding gzip/,
  });
  const { remote, asked } = await registry(t, () => ({ status: 202 }));
  await remote.deleteManifest('app', '1', signal);
  t.strictSame(asked, ['DELETE /v2/app/manifests/1']);
  const gone = await registry(t, () => ({ status: 404 }));
  await gone.remote.deleteManifest('app', '1', signal);
  const refused = await registry(t, () => ({ status: 405, body: { errors: [{ message: 'not here\u0007' }] } }));
  await t.rejects(refused.remote.deleteManifest('app', '1', signal), {
    message: /gcr does not delete app:1 \(405: not here/,
  });
});

t.test('referrers', async (t) => {
  const one = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: DIGEST, size: 3 };
  const two = { ...one, digest: `sha256:${'b'.repeat(64)}` };
  const paged = await registry(t, (_, url) =>
    url.searchParams.has('next')
      ? { body: { schemaVersion: 2, manifests: [two] } }
      : { body: { schemaVersion: 2, manifests: [one] }, headers: { link: `<${url.pathname}?next=1>; rel="next"` } },
  );
  t.strictSame(await paged.remote.referrers('app', DIGEST, signal), [one, two]);
  t.equal(paged.asked[0], `GET /v2/app/referrers/${DIGEST}`, 'without a parameter that it may not know');
  for (const status of [404, 400, 405, 501]) {
    const none = await registry(t, (_, { pathname }) =>
      pathname.includes('referrers') || !pathname.includes('/app/') ? { status } : { body: { tags: ['1'] } },
    );
    for (let times = 0; times < 2; times += 1)
      t.strictSame(await none.remote.referrers('gone', DIGEST, signal).catch(() => []), []);
    t.equal(await none.remote.supportsReferrers('app', DIGEST, signal), false);
    t.strictSame(await none.remote.referrers('app', DIGEST, signal), []);
    t.strictSame(await none.remote.referrers('app', DIGEST, signal), []);
    const asked = none.asked.filter((one) => one.includes('/app/referrers/'));
    t.equal(asked.length, 1, `${status}: not asked again, once it is sure`);
  }
  const page = await registry(t, () => ({ body: '<html>' }));
  t.strictSame(await page.remote.referrers('app', DIGEST, signal), []);
  const denied = await registry(t, () => ({ status: 403 }));
  await t.rejects(denied.remote.referrers('app', DIGEST, signal), { message: /does not list what refers to app@/ });
});

t.test('whether a repository is empty', async (t) => {
  for (const [answer, expected] of [
    [{ status: 404 }, true],
    [{ body: { tags: null } }, true],
    [{ body: { tags: ['1'] } }, false],
  ] as const) {
    const { remote } = await registry(t, () => answer);
    t.equal(await remote.isEmpty('app', signal), expected);
  }
});
