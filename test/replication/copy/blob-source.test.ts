import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { BandwidthLimit } from '../../../src/replication/copy/bandwidth-limit.ts';
import { BlobSource } from '../../../src/replication/copy/blob-source.ts';
import type { FrontRule } from '../../helpers/registry-front.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { blobSite } from './blob-site.ts';

const MIB = 1_048_576;

/** Answers the first so many downloads. */
function first(times: number, answer: (response: ServerResponse, range: string | undefined) => unknown): FrontRule {
  let left = times;
  return async ({ method, url = '', headers }, response) => {
    if (method !== 'GET' || !url.includes('/blobs/') || left === 0) return 'pass';
    left -= 1;
    answer(response, headers.range);
    return 'answered';
  };
}

t.test('all of it, told once', async (t) => {
  const site = await blobSite(t, 3 * MIB);
  let told = 0;
  const blob = new BlobSource({
    ...{ registry: site.source, repository: 'app', digest: site.digest, size: 3 * MIB },
    bandwidth: new BandwidthLimit(0),
    onBytes: (bytes) => {
      told += bytes;
    },
  });
  await site.primary.faults.on('cut', { bytes: MIB, times: 1 });
  t.ok((await site.read(blob)).equals(site.bytes));
  t.equal(told, 3 * MIB);
  t.ok((await site.read(blob)).equals(site.bytes), 'again, from the beginning');
  t.equal(told, 3 * MIB, 'which is no news');
  t.equal(blob.verifiedBytes, 3 * MIB);
});

t.test('parts of it', async (t) => {
  const site = await blobSite(t, 1000);
  const blob = site.blob();
  const part = async (from: number, to: number) => {
    const pieces: Buffer[] = [];
    for await (const piece of blob.read(from, to, site.signal)) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  t.ok((await part(0, 400)).equals(site.bytes.subarray(0, 400)));
  t.ok((await part(300, 1000)).equals(site.bytes.subarray(300)));
  t.equal((await part(1000, 1000)).length, 0);
  t.strictSame(
    site.primary.requests.map(({ headers }) => headers.range),
    ['bytes=0-399', 'bytes=300-'],
    'no more is asked for than is wanted',
  );
});

t.test('downloads that are read to their end share a connection', async (t) => {
  const site = await blobSite(t, 100_000);
  for (let time = 0; time < 5; time += 1) await site.read(site.blob());
  const heads = site.primary.requests.filter(({ url }) => url.includes('/blobs/'));
  t.equal(heads.length, 5);
  await until(() => site.underWay() === 0, { what: () => 'all are over' });
});

t.test('one that ignores ranges', async (t) => {
  const body = (response: ServerResponse, bytes: Buffer, until?: number) => {
    response.writeHead(200, { 'content-length': bytes.length });
    if (until === undefined) return response.end(bytes);
    return response.write(bytes.subarray(0, until), () => setTimeout(() => response.destroy(), 20));
  };
  let asked = 0;
  const site = await blobSite(t, MIB, {
    source: first(9, (response) => {
      asked += 1;
      body(response, site.bytes, asked < 3 ? 300_000 * asked : undefined);
    }),
  });
  t.ok((await site.read(site.blob())).equals(site.bytes));
  t.equal(asked, 3);
});

t.test('wrong ones', async (t) => {
  const table: [string, (response: ServerResponse) => unknown, RegExp, number][] = [
    [
      'another length',
      (response) => response.writeHead(200, { 'content-length': '5' }).end('12345'),
      /another length/,
      1000,
    ],
    ['longer than it says', (response) => response.writeHead(200).end(Buffer.alloc(2000)), /wrong bytes/, 1000],
    [
      'a range of another',
      (response) => response.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end('12345'),
      /another length/,
      1000,
    ],
    [
      'compressed',
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(1000)),
      /in the encoding gzip/,
      1000,
    ],
    ['not there', (response) => response.writeHead(404).end(), /does not serve the blob sha256:.* \(404/, 1000],
    [
      'not for us',
      (response) => response.writeHead(403).end('{"errors":[{"message":"no pull"}]}'),
      /\(403: no pull\)/,
      1000,
    ],
  ];
  for (const [name, answer, message, size] of table) {
    const site = await blobSite(t, size, { source: first(99, answer) });
    const blob = site.blob();
    await t.rejects(site.read(blob), { name: 'CopyError', message, retryable: false }, name);
    t.match(blob.failure, { message });
  }
  const shorter = await blobSite(t, 1000);
  await t.rejects(
    shorter.read(shorter.blob({ size: 900 })),
    { message: /another length/ },
    'a size that is not its own',
  );
  const empty = await blobSite(t, 0);
  t.equal((await empty.read(empty.blob())).length, 0, 'nothing is not asked for');
});

t.test('the last piece is not handed on if it is wrong', async (t) => {
  const site = await blobSite(t, 3 * MIB);
  await site.primary.faults.on('corrupt', { bytes: 5 });
  let read = 0;
  const reading = async () => {
    for await (const piece of site.blob().read(0, 3 * MIB, site.signal)) read += piece.length;
  };
  await t.rejects(reading(), { message: /wrong bytes/ });
  t.ok(read < 3 * MIB);
});

t.test('answers that pass', async (t) => {
  let asked = 0;
  const site = await blobSite(t, MIB, {
    source: first(5, (response) => {
      asked += 1;
      if (asked === 1) response.writeHead(503, { 'retry-after': '0' }).end();
      else if (asked === 2) response.writeHead(401, { 'www-authenticate': '' }).end();
      else if (asked === 3)
        response.writeHead(200, { 'content-length': MIB }).write(site.bytes.subarray(0, 10), () => response.destroy());
      else if (asked === 4) response.writeHead(429, { 'retry-after': new Date(Date.now() - 1000).toUTCString() }).end();
      else response.destroy();
    }),
  });
  t.ok((await site.read(site.blob())).equals(site.bytes));
  t.equal(asked, 5);
});

t.test('no answer, and no byte more', async (t) => {
  let asked = 0;
  const site = await blobSite(t, MIB, {
    source: first(2, (response) => {
      asked += 1;
      if (asked === 2) response.writeHead(200, { 'content-length': MIB }).write(site.bytes.subarray(0, 1000));
    }),
  });
  t.ok((await site.read(site.blob({ stallMs: timeLimit(200) }))).equals(site.bytes));
  t.match(site.primary.requests.at(-1)?.headers.range, /^bytes=1000-$/);
});

t.test('a slow reader is no stall', async (t) => {
  const site = await blobSite(t, MIB);
  let read = 0;
  for await (const piece of site.blob({ stallMs: timeLimit(100) }).read(0, MIB, site.signal)) {
    read += piece.length;
    if (read === piece.length) await new Promise((resolve) => setTimeout(resolve, timeLimit(300)));
  }
  t.equal(read, MIB);
  t.equal(site.primary.requests.length, 1);
});

t.test('a source that breaks off without a byte is given up', async (t) => {
  const site = await blobSite(t, MIB, { source: first(99, (response) => response.destroy()), remote: { limit: 100 } });
  await t.rejects(site.read(site.blob()), { message: /does not serve the blob .*closed/, retryable: true });
  const cut = first(99, (response) => {
    response.writeHead(200, { 'content-length': MIB });
    response.flushHeaders();
    setTimeout(() => response.destroy(), 5);
  });
  const dying = await blobSite(t, MIB, { source: cut });
  await t.rejects(dying.read(dying.blob()), { message: /keeps breaking off at byte 0/, retryable: true });
});

t.test('an aborted download leaves no connection', async (t) => {
  const site = await blobSite(t, 40 * MIB);
  const reading = site.blob().read(0, 40 * MIB, site.signal);
  await reading.next();
  t.equal(site.underWay(), 1);
  await reading.return(undefined);
  await until(() => site.underWay() === 0, { timeout: 2000, what: () => 'it is let go of' });
});

t.test('other digests', async (t) => {
  for (const algorithm of ['sha384', 'sha512']) {
    const site = await blobSite(t, 1000);
    const digest = `${algorithm}:${createHash(algorithm).update(site.bytes).digest('hex')}`;
    const blob = site.blob({ digest });
    const answered = first(9, (response) => response.writeHead(200, { 'content-length': 1000 }).end(site.bytes));
    const other = await blobSite(t, 1000, { source: answered });
    t.equal((await other.read(other.blob({ digest }))).length, 1000, algorithm);
    t.equal(blob.digest, digest);
    const wrong = `${algorithm}:${createHash(algorithm).update('x').digest('hex')}`;
    const lie = await blobSite(t, 1000, {
      source: first(9, (response) => response.writeHead(200, { 'content-length': 1000 }).end(site.bytes)),
    });
    await t.rejects(lie.read(lie.blob({ digest: wrong })), { message: /wrong bytes/ });
  }
  const site = await blobSite(t, 10);
  for (const digest of ['md5:d41d8cd98f00b204e9800998ecf8427e', 'sha1:x', 'blake3:x', ''])
    t.throws(() => site.blob({ digest }), { name: 'CopyError', message: /cannot be verified/ }, digest);
});

t.test('redirects', async (t) => {
  const storage = await startLabRegistry();
  t.teardown(() => storage.close());
  const user = { username: 'robot', password: 'secret' };
  const registry = await startLabRegistry({
    ...{ downloads: 'redirect', redirectTo: storage.url },
    auth: { scheme: 'basic', users: [user] },
  });
  t.teardown(() => registry.close());
  const bytes = Buffer.alloc(1000, 1);
  const digest = registry.store.addBlob('app', bytes);
  storage.store.addBlob('app', bytes);
  const source = remoteRegistry(t, 'harbor', registry.url, { credentials: user });
  const from = { registry: source, repository: 'app', bandwidth: new BandwidthLimit(0), onBytes: () => undefined };
  const pieces: Buffer[] = [];
  for await (const piece of new BlobSource({ ...from, digest, size: 1000 }).read(0, 1000, new AbortController().signal))
    pieces.push(piece);
  t.ok(Buffer.concat(pieces).equals(bytes));
  t.ok(registry.requests.some(({ headers }) => headers.authorization !== undefined));
  t.ok(storage.requests.length > 0);
  t.ok(
    storage.requests.every(({ headers }) => headers.authorization === undefined),
    'no credentials go where it leads',
  );
  const elsewhere = await blobSite(t, 10, {
    source: first(9, (response) => response.writeHead(302, { location: 'http://storage.example/x' }).end()),
  });
  await t.rejects(elsewhere.read(elsewhere.blob()), {
    message: /redirects.hosts does not name storage.example/,
    retryable: false,
  });
  let denied = 0;
  const expired = await blobSite(t, 10, {
    source: async ({ url = '' }, response) => {
      if (url.startsWith('/signed')) {
        denied += 1;
        response.writeHead(403).end();
        return 'answered';
      }
      if (!url.includes('/blobs/') || denied > 1) return 'pass';
      response.writeHead(307, { location: '/signed' }).end();
      return 'answered';
    },
  });
  t.ok((await expired.read(expired.blob())).equals(expired.bytes), 'a signature that has expired is made anew');
  t.equal(denied, 2);
});
