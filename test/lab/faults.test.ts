import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { FaultInput, FaultName } from '../../src/lab/fault.ts';
import { type LabRegistry, startLabRegistry } from '../../src/lab/registry.ts';
import { type Asked, ask, codeOf } from './ask.ts';

async function start(t: Test) {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  const { digest, blobDigests } = registry.seed('a', 'v1', { blobs: [1_000_000] });
  const blob = `/v2/a/blobs/${blobDigests[0]}`;
  const paths = {
    ping: '/v2/',
    catalog: '/v2/_catalog',
    manifest: '/v2/a/manifests/v1',
    blob,
    tags: '/v2/a/tags/list',
  };
  const bytes = registry.store.blob('a', blobDigests[0] ?? '')?.toBuffer() ?? Buffer.alloc(0);
  const get = (path: string, headers: Record<string, string> = {}) => ask(registry.url, 'GET', path, { headers });
  return { registry, digest, paths, bytes, get };
}

/** Asks, waits until the registry has the request, and says whether it has answered once it answers something else. */
async function heldBy(
  registry: LabRegistry,
  method: string,
  path: string,
): Promise<{ held: boolean; answer: Promise<Asked> }> {
  const before = registry.requests.length;
  const answer = ask(registry.url, method, path);
  answer.catch(() => undefined);
  while (registry.requests.length === before) await new Promise(setImmediate);
  // Whatever would answer without waiting has done so after these turns.
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  return { held: registry.requests.at(-1)?.status === 0, answer };
}

t.test('faults that answer', async (t) => {
  const { registry, paths, get } = await start(t);
  const rows: [name: FaultName, input: FaultInput, status: number, headers: object, body: RegExp][] = [
    ['errors', {}, 500, {}, /UNKNOWN/],
    ['errors', { status: 503, retryAfter: 7, body: '<html>' }, 503, { 'retry-after': '7' }, /^<html>$/],
    ['rateLimited', {}, 429, { 'retry-after': '5' }, /TOOMANYREQUESTS/],
    ['rateLimited', { retryAfter: 60 }, 429, { 'retry-after': '60' }, /TOOMANYREQUESTS/],
  ];
  for (const [name, input, status, headers, body] of rows) {
    await registry.faults.on(name, input);
    for (const kind of ['catalog', 'manifest', 'blob', 'tags'] as const) {
      const asked = await get(paths[kind]);
      t.match({ status: asked.status, headers: asked.headers }, { status, headers }, `${name}: ${kind}`);
      t.match(asked.body.toString(), body);
    }
    t.equal((await get(paths.ping)).status, 200, `${name}: /v2/ is fine`);
    await registry.faults.off(name);
    t.equal((await get(paths.manifest)).status, 200, `${name} off`);
  }
});

t.test('filters: kind, path, times, every', async (t) => {
  const { registry, paths, get } = await start(t);
  const statuses = async (...asked: (keyof typeof paths)[]) => {
    const all: number[] = [];
    for (const kind of asked) all.push((await get(paths[kind])).status);
    return all;
  };
  await registry.faults.on('errors', { kind: 'manifest' });
  t.strictSame(await statuses('ping', 'manifest', 'blob'), [200, 500, 200]);
  await registry.faults.on('errors', { kind: ['ping', 'tags'] });
  t.strictSame(await statuses('ping', 'manifest', 'tags'), [500, 200, 500]);
  await registry.faults.on('errors', { path: /tags|blobs/g });
  t.strictSame(await statuses('tags', 'tags', 'blob', 'manifest'), [500, 500, 500, 200]);
  await registry.faults.on('errors', { times: 2 });
  t.strictSame(await statuses('blob', 'ping', 'manifest', 'tags', 'blob'), [500, 200, 500, 200, 200]);
  await registry.faults.on('errors', { every: 3 });
  t.strictSame(await statuses('blob', 'blob', 'blob', 'blob', 'blob', 'blob'), [200, 200, 500, 200, 200, 500]);
  await registry.faults.on('errors', { every: 2, times: 1, kind: 'blob' });
  t.strictSame(await statuses('blob', 'blob', 'manifest', 'blob', 'blob'), [200, 500, 200, 200, 200]);
  t.match(registry.faults.active, [{ name: 'errors', hits: 1 }]);
  await t.rejects(registry.faults.on('down', { times: 1 }), {
    name: 'RangeError',
    message: /down takes no parameters/,
  });
  await t.rejects(registry.faults.on('slow', { path: '(' }), RangeError);
});

t.test('down: refused, cut, and back on the same port', async (t) => {
  const { registry, paths, get } = await start(t);
  const { port } = registry;
  const idle = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  idle.write('GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(idle, 'data');
  await registry.faults.on('down');
  if (!idle.closed) await once(idle, 'close');
  await t.rejects(get(paths.ping), { code: 'ECONNREFUSED' });
  await registry.faults.off('down');
  t.equal(registry.port, port);
  t.equal((await get(paths.ping)).status, 200);
});

t.test('down, and someone else took the port', async (t) => {
  const first = await startLabRegistry();
  await first.faults.on('down');
  const other = await startLabRegistry({ port: first.port });
  t.teardown(() => other.close());
  await t.rejects(first.faults.off('down'), { code: 'EADDRINUSE' });
  t.ok(first.faults.isOn('down'), 'it says that it is down still');
  await first.close();
});

t.test('frozen: nothing is answered until it is off', async (t) => {
  const { registry, paths, get } = await start(t);
  await registry.faults.on('frozen');
  const held = await Promise.all([paths.ping, paths.manifest, '/nowhere'].map((path) => heldBy(registry, 'GET', path)));
  t.strictSame(
    held.map((one) => one.held),
    [true, true, true],
  );
  await registry.faults.off('frozen');
  t.strictSame(
    (await Promise.all(held.map((one) => one.answer))).map((one) => one.status),
    [200, 200, 404],
  );
  await registry.faults.on('frozen', { times: 1 });
  const first = await heldBy(registry, 'GET', paths.manifest);
  t.equal(first.held, true);
  t.equal((await get(paths.manifest)).status, 200, 'only the first');
  await registry.faults.off();
  t.equal((await first.answer).status, 200);
});

t.test('frozen in the middle of a blob', async (t) => {
  const { registry, paths, bytes } = await start(t);
  await registry.faults.on('slow', { bytesPerSecond: 2_000_000 });
  const whole = fetch(`${registry.url}${paths.blob}`);
  const reader = (await whole).body?.getReader();
  let read = (await reader?.read())?.value?.length ?? 0;
  await registry.faults.on('frozen');
  const next = reader?.read();
  await registry.faults.off('frozen');
  read += (await next)?.value?.length ?? 0;
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) read += part.value.length;
  t.equal(read, bytes.length, 'it goes on afterwards');
});

t.test('storageHung: /v2/ and a new upload answer, the rest does not', async (t) => {
  const { registry, paths, get } = await start(t);
  const location = String((await ask(registry.url, 'POST', '/v2/a/blobs/uploads/')).headers.location);
  await registry.faults.on('storageHung');
  t.equal((await get(paths.ping)).status, 200);
  t.equal((await ask(registry.url, 'POST', '/v2/a/blobs/uploads/')).status, 202);
  const rows = [
    ['GET', paths.manifest],
    ['GET', paths.blob],
    ['HEAD', paths.blob],
    ['GET', paths.tags],
    ['GET', paths.catalog],
    ['PATCH', location],
    ['PUT', '/v2/a/manifests/v2'],
  ] as const;
  const held: Promise<Asked>[] = [];
  for (const [method, path] of rows) {
    const one = await heldBy(registry, method, path);
    t.equal(one.held, true, `${method} ${path}`);
    held.push(one.answer);
  }
  await registry.faults.off('storageHung');
  t.strictSame(
    (await Promise.all(held)).map((one) => one.status),
    [200, 200, 200, 200, 200, 202, 400],
  );
});

t.test('storageGone: an empty mount point takes uploads, and loses them', async (t) => {
  const { registry, paths, get } = await start(t);
  await registry.faults.on('storageGone');
  t.equal((await get(paths.ping)).status, 200);
  t.equal(codeOf(await get(paths.manifest)), 'MANIFEST_UNKNOWN');
  t.equal(codeOf(await get(paths.blob)), 'BLOB_UNKNOWN');
  t.equal(codeOf(await get(paths.tags)), 'NAME_UNKNOWN');
  t.strictSame(JSON.parse((await get(paths.catalog)).body.toString()), { repositories: [] });
  const begun = await ask(registry.url, 'POST', '/v2/a/blobs/uploads/');
  t.equal(begun.status, 202);
  const empty = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  t.equal((await ask(registry.url, 'PUT', `${begun.headers.location}&digest=${empty}`)).status, 201);
  t.equal((await get(`/v2/a/blobs/${empty}`)).status, 200);
  await registry.faults.off('storageGone');
  t.equal((await get(paths.manifest)).status, 200);
  t.equal((await get(`/v2/a/blobs/${empty}`)).status, 404);
});

t.test('delay', async (t) => {
  const { registry, paths, get } = await start(t);
  await registry.faults.on('delay', { ms: 120, kind: 'manifest' });
  const before = performance.now();
  await get(paths.manifest);
  t.ok(performance.now() - before >= 118);
});

t.test('blobs that end badly', async (t) => {
  const { registry, paths, bytes, get } = await start(t);
  const rows: [FaultName, FaultInput, end: Asked['end'], atMost: number][] = [
    ['cut', { bytes: 1000 }, 'reset', 1000],
    ['cut', {}, 'reset', 500_000],
    ['cut', { bytes: 0 }, 'reset', 0],
    ['short', { bytes: 1000 }, 'short', 1000],
    ['short', { fraction: 0.25 }, 'short', 250_000],
    ['short', { bytes: 0 }, 'short', 0],
  ];
  for (const [name, input, end, atMost] of rows) {
    await registry.faults.on(name, input);
    const asked = await get(paths.blob);
    const what = `${name} ${JSON.stringify(input)}`;
    t.equal(asked.status, 200, what);
    t.equal(asked.headers['content-length'], String(bytes.length), what);
    t.equal(asked.end, end, what);
    if (name === 'short') t.equal(asked.body.length, atMost, what);
    else t.ok(asked.body.length <= atMost, `${what}: ${asked.body.length}`);
    t.ok(bytes.subarray(0, asked.body.length).equals(asked.body), what);
    await registry.faults.off();
  }
  await registry.faults.on('cut', { bytes: 1000, times: 1 });
  t.equal((await get(paths.blob, { range: 'bytes=0-99' })).end, 'whole', 'shorter than that: not concerned');
  t.equal((await get(paths.manifest)).end, 'whole');
  t.equal((await get(paths.blob, { range: 'bytes=500-' })).end, 'reset', 'counted in the reply');
  t.equal((await get(paths.blob)).end, 'whole');
  await registry.faults.on('cut');
  t.equal(
    (await get(paths.blob, { range: 'bytes=0-0' })).end,
    'whole',
    'half of one byte is nothing: a canary stays good',
  );
});

t.test('stall', async (t) => {
  const { registry, paths, bytes } = await start(t);
  await registry.faults.on('stall', { bytes: 1000 });
  const reader = (await fetch(`${registry.url}${paths.blob}`)).body?.getReader();
  let read = 0;
  while (read < 1000) read += (await reader?.read())?.value?.length ?? 0;
  t.equal(read, 1000);
  const next = reader?.read();
  t.equal(await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 100, 'silence'))]), 'silence');
  await registry.faults.off();
  read += (await next)?.value?.length ?? 0;
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) read += part.value.length;
  t.equal(read, bytes.length, 'off: it goes on');
});

t.test('slow', async (t) => {
  const { registry, paths, get } = await start(t);
  await registry.faults.on('slow', { bytesPerSecond: 10_000 });
  const before = performance.now();
  t.equal((await get(paths.blob, { range: 'bytes=0-1999' })).body.length, 2000);
  const took = performance.now() - before;
  t.ok(took >= 190, `2000 bytes at 10000 a second took ${took} ms`);
});

t.test('wrong bytes', async (t) => {
  const { registry, paths, bytes, get } = await start(t);
  await registry.faults.on('corrupt', { bytes: 700_000 });
  const { body } = await get(paths.blob);
  t.equal(body.length, bytes.length);
  t.strictSame(
    [...body.entries()].filter(([at, byte]) => byte !== bytes[at]).map(([at]) => at),
    [700_000],
  );
  const ranged = await get(paths.blob, { range: 'bytes=699999-700001' });
  t.not(ranged.body[1], bytes[700_000], 'in a range as well');
  t.equal((await get(paths.blob, { range: 'bytes=0-99' })).body.compare(bytes.subarray(0, 100)), 0);
  t.equal(registry.faults.active[0]?.hits, 2, 'a range without it is not hit');
  await registry.faults.off();
  t.ok((await get(paths.blob)).body.equals(bytes), 'what is stored is unharmed');

  for (const by of [-1, 5]) {
    await registry.faults.on('wrongLength', { bytes: by });
    const asked = await get(paths.blob);
    t.equal(asked.end, 'whole', 'consistent in itself');
    t.equal(asked.body.length, bytes.length + by);
    const head = await ask(registry.url, 'HEAD', paths.blob);
    t.equal(head.headers['content-length'], String(bytes.length + by));
    const total = (await get(paths.blob, { range: 'bytes=0-0' })).headers['content-range'];
    t.equal(total, `bytes 0-0/${bytes.length + by}`);
  }
});
