import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import t from 'tap';
import { BlobUpload } from '../../../src/replication/copy/blob-upload.ts';
import { startArtifactRegistry } from '../../helpers/artifact-registry.ts';
import type { FrontRule } from '../../helpers/registry-front.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { type BlobSite, blobSite, readSome } from './blob-site.ts';

const MIB = 1_048_576;

/** Does something to the first so many requests of a method. */
function first(
  times: number,
  method: string,
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): FrontRule {
  let left = times;
  return async (request, response) => {
    if (request.method !== method || left === 0) return 'pass';
    left -= 1;
    return (await answer(request, response)) === 'pass' ? 'pass' : 'answered';
  };
}

function reply(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-length': '0', ...headers }).end();
}

function upload(
  { target, blob, signal }: BlobSite,
  more: { chunkBytes?: number; idleMs?: number } = {},
  from?: string,
) {
  return new BlobUpload({ registry: target, repository: 'there', source: blob(), ...more }).run(from, signal);
}

function arrived({ fallback, bytes, digest }: BlobSite): boolean {
  const there = fallback.store.blob('there', digest);
  return there !== undefined && Buffer.concat([...there.slices(0, there.length)]).equals(bytes);
}

function count({ fallback }: BlobSite, method: string, path = /uploads/): number {
  return fallback.requests.filter((one) => one.method === method && path.test(one.url)).length;
}

t.test('a status settles what became of a blob, whether its body arrives or not', async (t) => {
  const endings: Record<string, (response: ServerResponse) => unknown> = {
    held: () => undefined,
    closed: ({ socket }) => socket?.end(),
    reset: ({ socket }) => socket?.resetAndDestroy(),
  };
  for (const [name, end] of Object.entries(endings)) {
    const target = first(1, 'PUT', async (request, response) => {
      await once(request.resume(), 'end');
      response.writeHead(201, { 'content-length': '100' }).write('0123456789', () => end(response));
    });
    const site = await blobSite(t, 1000, { target });
    const began = performance.now();
    await upload(site);
    t.ok(performance.now() - began < timeLimit(5000), `${name}: it is done, and at once`);
    t.equal(count(site, 'POST'), 1, `${name}: nothing is sent again`);
  }
});

t.test('whole, in parts, and nothing at all', async (t) => {
  for (const [size, chunkBytes] of [
    [0, 10],
    [1, 10],
    [1000, 1000],
    [300_000, MIB],
    [MIB, 100_000],
    [MIB, 524_288],
  ] as const) {
    const site = await blobSite(t, size);
    t.equal(await upload(site, { chunkBytes }), 'uploaded');
    t.ok(arrived(site), `${size} bytes in parts of ${chunkBytes}`);
    t.equal(count(site, 'PATCH'), size > chunkBytes ? Math.ceil(size / chunkBytes) : 0);
  }
});

t.test('an answer before the body has ended', async (t) => {
  for (const [status, expected] of [
    [413, { name: 'CopyError', status: 413, retryable: false }],
    [403, { name: 'CopyError', status: 403, retryable: false }],
  ] as const) {
    const site = await blobSite(t, 20 * MIB, {
      target: first(9, 'PUT', async (request, response) => {
        await readSome(request, 70_000);
        reply(response, status);
      }),
    });
    await t.rejects(upload(site), expected);
    await until(() => site.underWay() === 0, { timeout: 2000, what: () => 'the source is let go of' });
    t.equal(count(site, 'POST'), 1, 'it is not tried again');
  }
});

t.test('one that says it has it all without having read it is not believed', async (t) => {
  const site = await blobSite(t, 20 * MIB, {
    target: first(1, 'PUT', async (request, response) => {
      await readSome(request, 70_000);
      reply(response, 201);
    }),
  });
  t.equal(await upload(site), 'uploaded');
  t.ok(arrived(site));
});

t.test('a token that has ended is made anew, and the upload goes on', async (t) => {
  for (const [method, chunkBytes] of [
    ['PUT', 20 * MIB],
    ['PATCH', MIB],
  ] as const) {
    const user = { username: 'robot', password: 'secret' };
    const site = await blobSite(t, 5 * MIB, {
      lab: { auth: { scheme: 'basic', users: [user] } },
      target: first(1, method, async (request, response) => {
        await readSome(request, 70_000);
        reply(response, 401, { 'www-authenticate': 'Basic realm="x"' });
      }),
      remote: { credentials: user },
    });
    t.equal(await upload(site, { chunkBytes }), 'uploaded', method);
    t.ok(arrived(site));
    t.equal(count(site, 'POST', /uploads\/$/) <= 3, true);
  }
});

t.test('an upload that is lost begins anew, once', async (t) => {
  for (const status of [404, 400, 409]) {
    const site = await blobSite(t, 5 * MIB, { target: first(1, 'PUT', (_, response) => reply(response, status)) });
    t.equal(await upload(site), 'uploaded', `${status}`);
    t.ok(arrived(site));
  }
  const never = await blobSite(t, MIB, { target: first(99, 'PUT', (_, response) => reply(response, 404)) });
  await t.rejects(upload(never), { status: 404, message: /gcr refuses a blob to there \(404/ });
  t.equal(count(never, 'POST'), 2);
});

t.test('bytes that a chunk lost are sent again', async (t) => {
  const cut = first(3, 'PATCH', async (request, response) => {
    await readSome(request, 70_000);
    response.destroy();
  });
  const site = await blobSite(t, 3 * MIB, { target: cut });
  t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded', 'reset in the middle');
  t.ok(arrived(site));
  t.equal(count(site, 'POST'), 1, 'of one upload');
  t.equal(count(site, 'GET'), 3, 'it is asked how far it came');

  const order = first(1, 'PATCH', (_, response) => reply(response, 416, { range: '0-0' }));
  const disordered = await blobSite(t, 3 * MIB, { target: order });
  t.equal(await upload(disordered, { chunkBytes: MIB }), 'uploaded', 'out of order');
  t.ok(arrived(disordered));
});

t.test('a part of which the registry keeps some', async (t) => {
  let front = '';
  // Passes half of the first part on, and breaks off.
  const half: FrontRule = first(1, 'PATCH', async (request, response) => {
    const { url, headers } = request;
    const call = send(`${front}${url}`, {
      method: 'PATCH',
      headers: { ...headers, 'content-length': '500000', 'content-range': '0-499999' },
    });
    let left = 500_000;
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      call.write(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
      if (left === 0) break;
    }
    call.end();
    await once(call, 'response');
    response.destroy();
  });
  const site = await blobSite(t, 3 * MIB, { target: half });
  front = site.fallback.url;
  t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded');
  t.ok(arrived(site));
  const patches = site.fallback.requests.filter(({ method }) => method === 'PATCH');
  t.equal(patches[1]?.headers['content-range'], `500000-${500_000 + MIB - 1}`, 'from where it was');
});

t.test('a registry that says that it has less of an upload than it took', async (t) => {
  const table: [name: string, range: (to: number) => string, asked: 'passes' | 'nothing' | 404, sent: number][] = [
    ['a byte less', (to) => `0-${to - 2}`, 'passes', 1],
    ['the chunk alone', () => `0-${MIB - 1}`, 'passes', 1],
    ['nothing', () => '0-0', 'passes', 1],
    ['nothing, and cannot be asked', () => '0-0', 404, 1],
    ['nothing, and says so again', () => '0-0', 'nothing', 4 / 3],
  ];
  for (const [name, range, asked, sent] of table) {
    let [front, taken] = ['', 0];
    const behind: FrontRule = async (request, response) => {
      const { method, headers, url = '' } = request;
      if (method === 'PUT') taken += Number(headers['content-length'] ?? 0);
      if (method === 'GET' && asked !== 'passes') {
        reply(response, asked === 404 ? 404 : 204, asked === 404 ? {} : { range: '0-0', location: url });
        return 'answered';
      }
      if (method !== 'PATCH') return 'pass';
      const call = send(`${front}${url}`, { method, headers });
      request.pipe(call);
      const [answer] = await once(call, 'response');
      taken += Number(headers['content-length']);
      const to = Number(String(headers['content-range']).split('-')[1]) + 1;
      reply(response, 202, { range: range(to), location: answer.headers.location });
      return 'answered';
    };
    const site = await blobSite(t, 3 * MIB, { target: behind });
    front = site.fallback.url;
    t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded', name);
    t.ok(arrived(site), name);
    t.equal(taken, sent * 3 * MIB, `${name}: bytes that were sent`);
  }
});

t.test('a registry that loses whatever it is sent gets the whole at once, and is given up', async (t) => {
  const loses = first(999, 'PATCH', async (request, response) => {
    await readSome(request, 10 * MIB);
    reply(response, 202, { range: '0-0', location: request.url ?? '' });
  });
  const refuses = first(999, 'PUT', async (request, response) => {
    await readSome(request, 10 * MIB);
    reply(response, 400);
  });
  const target: FrontRule = async (request, response) =>
    (await loses(request, response)) === 'pass' ? refuses(request, response) : 'answered';
  const site = await blobSite(t, 3 * MIB, { target, remote: { limit: 500 } });
  await t.rejects(upload(site, { chunkBytes: MIB }), { message: /refuses a blob/, status: 400 });
  t.equal(count(site, 'POST'), 2, 'once in parts, and once whole');
});

t.test('a registry that counts more than it was sent', async (t) => {
  const counts = first(999, 'PATCH', async (request, response) => {
    await readSome(request, 10 * MIB);
    reply(response, 202, { range: `0-${2 * MIB}`, location: request.url ?? '' });
  });
  const site = await blobSite(t, 3 * MIB, { target: counts });
  await t.rejects(upload(site, { chunkBytes: MIB }), { message: /counts 2097153 bytes .* sent 1048576/ });
  t.equal(count(site, 'POST'), 2);
});

t.test('source and target break off by turns', async (t) => {
  const cut = first(4, 'PATCH', async (request, response) => {
    await readSome(request, 200_000);
    response.destroy();
  });
  const site = await blobSite(t, 4 * MIB, { target: cut });
  await site.primary.faults.on('cut', { bytes: 300_000, times: 5 });
  t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded');
  t.ok(arrived(site));
});

t.test('one that takes no parts is sent the whole, and remembered', async (t) => {
  const site = await blobSite(t, 3 * MIB, { lab: { uploads: 'artifact-registry' } });
  t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded');
  t.ok(arrived(site));
  t.equal(count(site, 'PATCH'), 1);
  site.fallback.store.removeBlob('there', site.digest);
  t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded');
  t.equal(count(site, 'PATCH'), 1, 'it is not asked again');
});

t.test('a session that is lost says nothing of parts', async (t) => {
  const site = await blobSite(t, 3 * MIB, { target: first(1, 'PATCH', (_, response) => reply(response, 404)) });
  t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded');
  site.fallback.store.removeBlob('there', site.digest);
  t.equal(await upload(site, { chunkBytes: MIB }), 'uploaded');
  t.equal(count(site, 'PATCH'), 3, 'the next one goes in parts');
});

t.test('an answer that is lost after all was taken', async (t) => {
  let site: BlobSite | undefined;
  const lost = first(1, 'PUT', async (request, response) => {
    const call = send(`${site?.fallback.url}${request.url}`, { method: 'PUT', headers: request.headers });
    request.pipe(call);
    await once(call, 'response');
    response.destroy();
  });
  site = await blobSite(t, MIB, { target: lost });
  t.equal(await upload(site), 'uploaded');
  t.ok(arrived(site));
  t.equal(count(site, 'PUT'), 1, 'it was looked whether it is there');
});

t.test('a registry that takes nothing, or does not answer', async (t) => {
  const silent = first(99, 'PUT', () => new Promise(() => undefined));
  const site = await blobSite(t, 40 * MIB, { target: silent, remote: { limit: 300 } });
  await t.rejects(upload(site, { idleMs: 100 }), { name: 'UpstreamError', message: /not taken or answered for 0.1 s/ });
  await until(() => site.underWay() === 0, { timeout: 2000, what: () => 'the source is let go of' });
});

t.test('an aborted upload ends at once', async (t) => {
  const silent = first(99, 'PUT', () => new Promise(() => undefined));
  const site = await blobSite(t, 40 * MIB, { target: silent });
  const going = upload(site);
  await until(() => site.underWay() === 1, { what: () => 'it is under way' });
  site.abort.abort(new Error('enough'));
  await t.rejects(going, { message: 'enough' });
  await until(() => site.underWay() === 0, { timeout: 2000, what: () => 'the source is let go of' });
});

t.test('where an upload goes on', async (t) => {
  const begins = (location: (path: string) => string): FrontRule =>
    first(1, 'POST', async (request, response) => {
      const { headers } = await fetch(`${site?.fallback.url}${request.url}`, { method: 'POST' });
      reply(response, 202, { location: location(headers.get('location') ?? '') });
    });
  let site: BlobSite | undefined;
  for (const location of [
    (path: string) => `https://registry.internal:5000${path}`,
    (path: string) => `http://127.0.0.1${path}`,
    (path: string) => path.replace('/v2/there/blobs/uploads/', ''),
  ]) {
    site = await blobSite(t, 1000, { target: begins(location) });
    t.equal(await upload(site), 'uploaded', location('/v2/there/blobs/uploads/x'));
    t.ok(arrived(site));
  }
  site = await blobSite(t, 1000, { target: begins(() => 'http://elsewhere.example/upload') });
  await t.rejects(upload(site), { message: /gcr redirects an upload to elsewhere.example/, retryable: false });
  site = await blobSite(t, 1000, { target: begins(() => '') });
  await t.rejects(upload(site), { message: /sends no Location for an upload/ });
});

t.test('the query of a Location is kept', async (t) => {
  const signed = 'a=%2Bb%20c~%2f&_state=x==';
  const begun = first(1, 'POST', (_, response) =>
    reply(response, 202, { location: `/v2/there/blobs/uploads/1?${signed}` }),
  );
  let asked = '';
  const site = await blobSite(t, 1000, {
    target: async (request, response) => {
      if (request.method === 'POST') return begun(request, response);
      if (request.method !== 'PUT') return 'pass';
      asked = request.url ?? '';
      await readSome(request, 1000);
      reply(response, 201);
      return 'answered';
    },
  });
  t.equal(await upload(site), 'uploaded');
  t.equal(asked, `/v2/there/blobs/uploads/1?${signed}&digest=${encodeURIComponent(site.digest)}`);
});

t.test('a mount', async (t) => {
  const site = await blobSite(t, 1000);
  site.fallback.store.addBlob('other', site.bytes);
  t.equal(await upload(site, {}, 'other'), 'mounted');
  t.ok(arrived(site));
  t.equal(count(site, 'PUT'), 0);
  const refused = await blobSite(t, 1000);
  t.equal(await upload(refused, {}, 'nowhere'), 'uploaded', 'it is not there');
  t.equal(count(refused, 'POST'), 1, 'what it has begun instead is used');
  const there = await blobSite(t, 1000);
  there.fallback.store.addBlob('there', there.bytes);
  t.equal(await upload(there, {}, 'nowhere'), 'there');
  let asked = 0;
  const forbidden = await blobSite(t, 1000, {
    target: async ({ url = '' }, response) => {
      if (!url.includes('mount=')) return 'pass';
      asked += 1;
      reply(response, 405);
      return 'answered';
    },
  });
  t.equal(await upload(forbidden, {}, 'other'), 'uploaded', 'it cannot be done');
  forbidden.fallback.store.removeBlob('there', forbidden.digest);
  forbidden.fallback.store.addBlob('other', forbidden.bytes);
  asked = 0;
  t.equal(await upload(forbidden, {}, 'other'), 'uploaded');
  t.equal(asked, 0, 'and is not asked for again');
});

t.test('a token service that takes one scope at a time', async (t) => {
  const site = await blobSite(t, 1000);
  const may = { there: ['pull', 'push'], other: ['pull', 'push'] };
  const google = await startArtifactRegistry(t, { key: { password: 'secret', may } });
  google.front.before(`${site.fallback.host}:${site.fallback.port}`);
  const credentials = { username: '_json_key', password: 'secret' };
  const target = remoteRegistry(t, 'gcr', `http://${google.front.address}`, { credentials });
  site.fallback.store.addBlob('other', site.bytes);
  t.equal(await upload({ ...site, target }, {}, 'other'), 'mounted', 'as this one lets it be');
  t.ok(arrived(site));
  t.ok(google.asked.some((scopes) => scopes.length > 1));
});
