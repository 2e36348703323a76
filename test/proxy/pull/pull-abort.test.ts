import { once } from 'node:events';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { clientRequests, IMAGE, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

const BLOB = `/v2/app/blobs/${sha256('x')}`;
const GET = `GET ${BLOB} HTTP/1.1\r\nHost: edge.test\r\n\r\n`;

/** An upstream of which the test sees every connection; `answer` says what a request gets before silence. */
async function watched(t: Test, answer: string) {
  const arrived: Socket[] = [];
  const odd = await startOddServer(t, (socket) => {
    arrived.push(socket);
    socket.write(answer);
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, breaker: { consecutive: 1 } } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
  });
  const nth = (count: number) => until(() => arrived[count - 1], { every: 2, what: () => `request ${count}` });
  return { edge, nth };
}

const MOMENTS: [says: string, answer: string, heard: RegExp][] = [
  ['before there is an answer', '', /^$/],
  ['after the headers', 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n', /^$/],
  ['in the middle of the body', `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(1000)}`, /x{1000}$/],
];

for (const [says, answer, heard] of MOMENTS) {
  t.test(`a client that leaves ${says}`, async (t) => {
    const { edge, nth } = await watched(t, answer);
    const raw = await RawConnection.connect(t, edge.http1().target);
    raw.send(GET);
    const first = await nth(1);
    await raw.heard(heard);
    const began = performance.now();
    raw.socket.destroy();
    await once(first, 'close');
    const session = edge.http2();
    const stream = session.open(BLOB);
    stream.on('error', () => undefined);
    const second = await nth(2);
    if (heard.source !== '^$') await once(stream, 'data');
    stream.close(8);
    await once(second, 'close');
    t.ok(performance.now() - began < timeLimit(2000), 'the upstream’s connection is gone at once, over both versions');
    await until(() => edge.requests.length === 2, { what: () => 'two lines' });
    for (const line of edge.requests) t.match(line, { outcome: 'aborted' });
    const [url] = edge.app.status().upstreams[0]?.urls ?? [];
    t.match(
      url,
      { state: 'up', breakers: { control: 'closed', data: 'closed' }, inFlight: { data: 0, control: 0 } },
      'which is not its failure',
    );
  });
}

t.test('pipelined requests of a client that leaves are given up, all of them', async (t) => {
  const { edge, nth } = await watched(t, `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(50_000)}`);
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(GET.repeat(3));
  const sockets = await Promise.all([nth(1), nth(2), nth(3)]);
  raw.socket.destroy();
  await Promise.all(sockets.map((socket) => socket.destroyed || once(socket, 'close')));
  t.pass('the upstream is left alone');
  await until(() => edge.requests.length === 3, { what: () => `three lines: ${edge.log}` });
  await edge.app.stop();
  t.pass('and the edge can stop');
});

t.test('pipelined replies come in order, and a broken one ends the connection', async (t) => {
  const site = await startLabSite(t, { canary: false, config: { splice: { enabled: false } } });
  const { blobDigests } = site.primary.seed('inner/library/two', '1', IMAGE);
  const raw = await RawConnection.connect(t, site.edge.http1().target);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`;
  raw.send(
    get('/v2/library/app/manifests/1') + get('/v2/library/app/manifests/nowhere') + get('/v2/library/two/manifests/1'),
  );
  await raw.heard(/200 OK[\s\S]*404 Not Found[\s\S]*200 OK[\s\S]*schemaVersion[\s\S]*\}$/);
  await site.primary.faults.on('cut', { path: 'library/app' });
  raw.send(
    get('/v2/library/app/manifests/1') +
      get(`/v2/library/app/blobs/${site.blob()}`) +
      get(`/v2/library/two/blobs/${blobDigests[1]}`),
  );
  await raw.closed();
  t.equal(raw.end, 'fin', 'an orderly end');
  const last = raw.text.lastIndexOf('HTTP/1.1 200 OK');
  t.match(raw.text.slice(last), /content-length: 300000/, 'nothing follows the broken one');
});

t.test('a client that reads slowly gets all of it, and the edge does not take it in advance', async (t) => {
  const total = 64 * 1024 * 1024;
  let written = 0;
  const odd = await startOddServer(t, async (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
    const chunk = Buffer.alloc(65_536, 'x');
    for (written = 0; written < total && !socket.destroyed; written += chunk.length)
      if (!socket.write(chunk)) await once(socket, 'drain').catch(() => undefined);
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, deadlines: { stall: '300ms' } } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
    // Its bytes are not those of the digest.
    verify: 'never',
  });
  for (const version of ['HTTP/1.1', 'HTTP/2']) {
    written = 0;
    let received = 0;
    const stream =
      version === 'HTTP/2' ? edge.http2().open(BLOB) : (await RawConnection.connect(t, edge.http1().target)).socket;
    if ('write' in stream && version === 'HTTP/1.1')
      stream.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    stream.removeAllListeners('data');
    stream.pause();
    let last = -1;
    await until(
      () => {
        const still = written > 0 && written === last;
        last = written;
        return still;
      },
      // Longer than the stall deadline: a slow client is not a stalled upstream.
      { every: 500, what: () => 'the upstream to be held up' },
    );
    t.ok(
      written < total / 2,
      `${version}: ${Math.round(written / 2 ** 20)} MiB were taken for a client that reads nothing`,
    );
    stream.on('data', (part: Buffer) => {
      received += part.length;
    });
    stream.resume();
    await once(stream, 'end');
    t.ok(received >= total, 'it gets all of it');
  }
});

t.test('all that can be tried is tried within 10 s', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: RARE_PROBE }, gcr: { probe: RARE_PROBE } });
  await Promise.all([site.primary.faults.on('frozen'), site.fallback.faults.on('frozen')]);
  const replies = await Promise.all(
    [
      '/v2/library/app/manifests/1',
      `/v2/library/app/blobs/${site.blob()}`,
      '/v2/library/app/tags/list',
      '/v2/_catalog',
    ].map((path) => site.edge.http2().ask(path)),
  );
  for (const reply of replies) {
    t.match(reply, { status: 503, complete: true, headers: { 'retry-after': /\d/ } });
    t.ok(reply.headersAfter < timeLimit(10_000), `after ${Math.round(reply.headersAfter)} ms`);
  }
  t.ok(clientRequests(site.fallback).length >= 4, 'each asked both');
});
