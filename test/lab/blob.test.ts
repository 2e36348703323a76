import t from 'tap';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { ask } from './ask.ts';

const BYTES = Buffer.from('0123456789');

t.test('ranges', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const { blobDigests } = registry.seed('a', 'v1', { blobs: [BYTES] });
  const path = `/v2/a/blobs/${blobDigests[0]}`;
  const rows: [range: string, status: number, body: string, contentRange: string | undefined][] = [
    ['bytes=0-', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=3-5', 206, '345', 'bytes 3-5/10'],
    ['bytes=9-9', 206, '9', 'bytes 9-9/10'],
    ['bytes=8-10', 206, '89', 'bytes 8-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-30', 206, '0123456789', 'bytes 0-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=-0', 416, '', 'bytes */10'],
    ['bytes=5-3', 416, '', 'bytes */10'],
    ['bytes=0-1,3-4', 416, '', 'bytes */10'],
    ['pages=1-2', 200, '0123456789', undefined],
  ];
  for (const [range, status, body, contentRange] of rows) {
    const asked = await ask(registry.url, 'GET', path, { headers: { range } });
    t.equal(asked.status, status, range);
    if (status < 400) t.equal(asked.body.toString(), body, range);
    t.equal(asked.headers['content-range'], contentRange, range);
  }
  const head = await ask(registry.url, 'HEAD', path, { headers: { range: 'bytes=3-5' } });
  t.match(head, { status: 200, headers: { 'content-length': '10' } }, 'HEAD is of the whole');
});

t.test('a large blob, whole and from the middle', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const { blobDigests } = registry.seed('a', 'v1', { blobs: [20_000_000] });
  const path = `/v2/a/blobs/${blobDigests[0]}`;
  const stored = registry.store.blob('a', blobDigests[0] ?? '')?.toBuffer();
  const all = await ask(registry.url, 'GET', path);
  t.ok(stored?.equals(all.body));
  const from = await ask(registry.url, 'GET', path, { headers: { range: 'bytes=12345678-' } });
  t.ok(stored?.subarray(12_345_678).equals(from.body));
  const reading = await fetch(`${registry.url}${path}`);
  await reading.body?.cancel();
  t.equal((await ask(registry.url, 'GET', '/v2/')).status, 200, 'a reader that leaves harms nobody');
});

t.test('redirected downloads', async (t) => {
  const storage = await startLabRegistry({ host: '127.0.0.2' });
  const registry = await startLabRegistry({
    downloads: 'redirect',
    auth: { scheme: 'basic', users: [{ username: 'u', password: 'p' }] },
  });
  const elsewhere = await startLabRegistry({ downloads: 'redirect', redirectTo: `${storage.url}/` });
  t.teardown(() => Promise.all([registry.close(), storage.close(), elsewhere.close()]));
  const authorization = `Basic ${Buffer.from('u:p').toString('base64')}`;
  for (const one of [registry, elsewhere, storage]) one.seed('a', 'v1', { blobs: [BYTES] });
  const { blobDigests } = registry.seed('a', 'v1', { blobs: [BYTES] });
  const path = `/v2/a/blobs/${blobDigests[0]}`;

  const sent = await ask(registry.url, 'GET', path, { headers: { authorization } });
  t.equal(sent.status, 302);
  const location = String(sent.headers.location);
  t.match(location, /^\/artifacts-downloads\//);
  t.equal((await ask(registry.url, 'GET', location)).body.toString(), '0123456789', 'nobody asks who you are');
  t.equal((await ask(registry.url, 'GET', location, { headers: { range: 'bytes=2-3' } })).body.toString(), '23');
  t.equal(
    (await ask(registry.url, 'GET', location, { headers: { authorization } })).status,
    400,
    'and you must not say',
  );
  t.equal((await ask(registry.url, 'GET', `${location}x`)).status, 404);
  t.equal((await ask(registry.url, 'PUT', location)).status, 405);
  t.equal(
    (await ask(registry.url, 'HEAD', path, { headers: { authorization } })).status,
    200,
    'HEAD is answered directly',
  );

  const far = await ask(elsewhere.url, 'GET', path);
  t.ok(String(far.headers.location).startsWith(`${storage.url}/artifacts-downloads/`), 'to another host');
  t.equal(await (await fetch(String(far.headers.location))).text(), '0123456789');
});
