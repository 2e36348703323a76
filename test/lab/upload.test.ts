import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { type LabRegistryOptions, startLabRegistry } from '../../src/lab/registry.ts';
import { type Asked, ask, codeOf } from './ask.ts';

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const DIGEST = sha256('hello world');
const UPLOADS = '/v2/a/b/blobs/uploads/';

async function start(t: Test, options: LabRegistryOptions = {}) {
  const registry = await startLabRegistry(options);
  t.teardown(() => registry.close());
  const send = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
    ask(registry.url, method, path, { headers, ...(body === undefined ? {} : { body }) });
  const open = async () => String((await send('POST', UPLOADS)).headers.location);
  return { registry, send, open };
}

const commit = (location: string, digest = DIGEST) =>
  `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`;

t.test('a blob comes in one piece, in chunks, or by PUT alone', async (t) => {
  const { registry, send, open } = await start(t);
  const stored = () => registry.store.blob('a/b', DIGEST)?.toBuffer().toString();

  const whole = await send('POST', `${UPLOADS}?digest=${DIGEST}`, 'hello world');
  t.equal(whole.status, 201);
  t.match(whole.headers, { location: `/v2/a/b/blobs/${DIGEST}`, 'docker-content-digest': DIGEST });
  t.equal(stored(), 'hello world');
  registry.store.removeBlob('a/b', DIGEST);

  const begun = await send('POST', UPLOADS);
  t.equal(begun.status, 202);
  t.equal(begun.headers.range, '0-0', 'nothing yet is 0-0');
  let location = String(begun.headers.location);
  const first = await send('PATCH', location, 'hello ', { 'content-range': '0-5' });
  t.match(first, { status: 202, headers: { range: '0-5', 'docker-upload-uuid': /./ } });
  location = String(first.headers.location);
  const wrong = await send('PATCH', location, 'wor', { 'content-range': '7-9' });
  t.match(wrong, { status: 416, headers: { range: '0-5' } }, 'a gap is refused, and told where it is');
  t.equal((await send('PATCH', location, 'wor', { 'content-range': '6-9' })).status, 416, 'as is a wrong length');
  t.equal((await send('PATCH', location, 'wor')).headers.range, '0-8', 'without Content-Range');
  t.match(await send('GET', location), { status: 204, headers: { range: '0-8' } });
  t.equal((await send('PUT', commit(location), 'ld', { 'content-range': '9-10' })).status, 201);
  t.equal(stored(), 'hello world');
  t.equal((await send('GET', location)).status, 404, 'the session is over');
  registry.store.removeBlob('a/b', DIGEST);

  t.equal((await send('PUT', commit(await open()), 'hello world')).status, 201);
  t.equal(stored(), 'hello world');
  t.equal(registry.store.usedBytes, 11);
});

t.test('an upload that is not right leaves nothing', async (t) => {
  const { registry, send, open } = await start(t);
  const location = await open();
  const refused: [string, Asked, number, string][] = [
    ['no digest', await send('PUT', location, 'hello world'), 400, 'DIGEST_INVALID'],
    ['state lost', await send('PATCH', location.split('?')[0] ?? '', 'x'), 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['another repository', await send('PATCH', location.replace('/a/b/', '/a/c/'), 'x'), 404, 'BLOB_UPLOAD_UNKNOWN'],
    ['other bytes', await send('PUT', commit(location), 'hello'), 400, 'DIGEST_INVALID'],
    ['unknown algorithm', await send('PUT', commit(await open(), 'md4:00'), 'hello'), 400, 'DIGEST_INVALID'],
    ['other bytes at once', await send('POST', `${UPLOADS}?digest=${DIGEST}`, 'hello'), 400, 'DIGEST_INVALID'],
  ];
  for (const [what, asked, status, code] of refused) t.match([asked.status, codeOf(asked)], [status, code], what);
  const dropped = await open();
  await send('PATCH', dropped, 'hello');
  t.equal((await send('DELETE', dropped)).status, 204);
  t.equal((await send('GET', dropped)).status, 404);
  t.equal(registry.store.usedBytes, 0);
  t.equal(registry.store.sessions.size, 0);
});

t.test('a client that leaves can go on where it stopped', async (t) => {
  const { registry, send, open } = await start(t);
  const location = await open();
  const socket = connect(registry.port, '127.0.0.1');
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello `);
  const [session] = registry.store.sessions.values();
  while (session && session.length < 6) await new Promise(setImmediate);
  t.equal((await send('PATCH', location, 'x')).status, 409, 'nobody else meanwhile');
  socket.destroy();
  while (session?.busy) await new Promise(setImmediate);
  t.equal((await send('GET', location)).headers.range, '0-5');
  t.equal((await send('PUT', commit(location), 'world')).status, 201);
});

t.test('100 Continue comes when the body is wanted, and not before', async (t) => {
  const { registry, open } = await start(t);
  const location = commit(await open());
  await registry.faults.on('frozen');
  const socket = connect(registry.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk;
    if (/^HTTP\/1\.1 100/.test(heard) && !/201/.test(heard)) socket.write('hello world');
    if (/ 201 /.test(heard)) socket.end();
  });
  socket.write(`PUT ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n`);
  while (registry.requests.at(-1)?.method !== 'PUT') await new Promise(setImmediate);
  t.equal(heard, '');
  await registry.faults.off();
  await new Promise((resolve) => socket.once('close', resolve));
  t.match(heard, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});

t.test('mounts', async (t) => {
  const { registry, send } = await start(t);
  const { blobDigests } = registry.seed('from', 'v1', { blobs: [Buffer.from('hello world')] });
  t.strictSame(blobDigests, [DIGEST]);
  const mount = (query: string) => send('POST', `${UPLOADS}?${query}`);
  t.match(await mount(`mount=${DIGEST}&from=from`), { status: 201, headers: { location: `/v2/a/b/blobs/${DIGEST}` } });
  t.ok(registry.store.blob('a/b', DIGEST));
  registry.store.removeBlob('a/b', DIGEST);
  t.equal((await mount(`mount=${DIGEST}`)).status, 201, 'from is optional');
  registry.store.removeBlob('a/b', DIGEST);
  t.match(
    await mount(`mount=${DIGEST}&from=elsewhere`),
    { status: 202, headers: { location: /uploads\/./ } },
    'else a session',
  );
  t.equal((await mount(`mount=${sha256('x')}&from=from`)).status, 202);
  registry.store.removeBlob('from', DIGEST);
  t.notOk(registry.store.blobs.has(DIGEST), 'bytes go with the last repository');
});

t.test('room is bounded', async (t) => {
  const { registry, send, open } = await start(t, { maxBytes: 1000 });
  t.equal((await send('PUT', commit(await open()), 'x'.repeat(1001))).status, 413, 'more than there will ever be');
  t.equal((await send('PATCH', await open(), 'x'.repeat(900))).status, 202);
  const full = await ask(registry.url, 'PATCH', await open(), { body: [Buffer.alloc(60), Buffer.alloc(60)] });
  t.equal(full.status, 507, 'more than there is');
  t.ok(registry.store.usedBytes <= 1000);
  for (let i = 0; i < 1005; i += 1) await open();
  t.equal(registry.store.sessions.size, 1000, 'sessions too');
});

t.test('Locations as the way here says: Forwarded, else X-Forwarded, else Host', async (t) => {
  const { send } = await start(t, { locations: 'absolute' });
  const rows: [headers: Record<string, string>, base: string][] = [
    [{ host: 'lab.example:1' }, 'http://lab.example:1/'],
    [{ host: 'h', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'cr.example.io' }, 'https://cr.example.io/'],
    [
      { host: 'h', forwarded: 'for=1.2.3.4;proto=https;host="cr.example.io"', 'x-forwarded-host': 'x' },
      'https://cr.example.io/',
    ],
    [{ host: 'h', forwarded: 'for=1.2.3.4', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'x' }, 'http://h/'],
  ];
  for (const [headers, base] of rows) {
    const { headers: answered } = await send('POST', UPLOADS, undefined, headers);
    t.ok(String(answered.location).startsWith(`${base}v2/a/b/blobs/uploads/`), JSON.stringify(headers));
  }
});

t.test('as Artifact Registry: outside /v2/, relative, in one piece', async (t) => {
  const { registry, send } = await start(t, { uploads: 'artifact-registry', locations: 'absolute' });
  const open = async () => String((await send('POST', `${UPLOADS}?digest=${DIGEST}`, 'hello world')).headers.location);
  const location = await open();
  t.match(
    location,
    /^\/artifacts-uploads\/namespaces\/lab\/repositories\/lab\/uploads\/[^?]+$/,
    'and POST alone is not enough',
  );
  t.match(await send('PATCH', location, 'hello', { 'content-range': '0-4' }), {
    status: 405,
    headers: { allow: 'PUT' },
  });
  t.equal((await send('PUT', commit(location), 'hello world')).status, 201);
  t.ok(registry.store.blob('a/b', DIGEST), 'the session knew the repository');
  const other = await open();
  t.equal((await send('PATCH', other, 'hello ')).status, 202, 'one PATCH, as docker sends it');
  t.equal((await send('PATCH', other, 'world')).status, 405, 'is the only one');
  t.equal((await send('PUT', commit('/artifacts-uploads/namespaces/lab/repositories/lab/uploads/none'))).status, 404);
});
