import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { sha256 } from '../../helpers/lab-site.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import {
  BLOB,
  CONTENT,
  DIGEST,
  lineOf,
  type MadeRequest,
  nothingLeft,
  serveRight,
  startEdgeBefore,
  startMadeUpstream,
  startSpliceSite,
  TOTAL,
} from './splice-site.ts';

// An upstream that sends too slowly counts as stalled while another one is left. A slow client does not count.

const SPLICE = { splice: { minRate: 1_000_000, window: `${timeLimit(200)}ms` } };

t.test('a trickle is replaced by another upstream', async (t) => {
  for (const version of ['http1', 'http2'] as const) {
    const site = await startSpliceSite(t, { config: SPLICE });
    const { edge, primary } = site;
    await primary.faults.on('slow', { bytesPerSecond: 200_000 });
    const reply = await edge[version]().ask(BLOB);
    t.match(reply, { status: 200, complete: true });
    t.equal(sha256(reply.body), DIGEST, version);
    t.match(await lineOf(edge, reply), {
      attempts: [{ upstream: 'harbor', outcome: 'failed', reason: 'stall' }, { upstream: 'gcr' }],
      splices: [{ from: 'harbor', to: 'gcr', reason: 'stall' }],
    });
    await nothingLeft(edge);
  }
});

t.test('a very slow trickle counts as a stall before the window is over', async (t) => {
  for (const version of ['http1', 'http2'] as const) {
    const site = await startSpliceSite(t, { config: { splice: { minRate: 16_000_000, window: '1h' } } });
    const { edge, primary } = site;
    await primary.faults.on('slow', { bytesPerSecond: 200_000 });
    const reply = await edge[version]().ask(BLOB);
    t.match(reply, { status: 200, complete: true });
    t.equal(sha256(reply.body), DIGEST, version);
    const detail = `less than 1000000 bytes a second for ${timeLimit(400) / 1000} s`;
    t.match(await lineOf(edge, reply), {
      attempts: [{ upstream: 'harbor', outcome: 'failed', reason: 'stall', detail }, { upstream: 'gcr' }],
      splices: [{ from: 'harbor', to: 'gcr', reason: 'stall' }],
    });
    await nothingLeft(edge);
  }
});

t.test('a download does not return to an upstream that was too slow before', async (t) => {
  const site = await startSpliceSite(t, { config: SPLICE });
  const { edge, primary, fallback } = site;
  await primary.faults.on('slow', { bytesPerSecond: 200_000 });
  await fallback.faults.on('slow', { bytesPerSecond: 600_000 });
  const reply = await edge.http2().ask(BLOB, { headers: { range: 'bytes=0-599999' } });
  t.match(reply, { status: 206, complete: true });
  t.ok(reply.body.equals(CONTENT.subarray(0, 600_000)));
  const { splices } = await lineOf(edge, reply);
  t.equal(splices?.length, 1, JSON.stringify(splices));
  await nothingLeft(edge);
});

t.test('a trickle is kept when no other upstream serves', async (t) => {
  const site = await startSpliceSite(t, { config: SPLICE });
  const { edge, primary, fallback } = site;
  await primary.faults.on('slow', { bytesPerSecond: 600_000 });
  await fallback.faults.on('errors');
  const reply = await edge.http1().ask(BLOB, { headers: { range: 'bytes=0-399999' } });
  t.match(reply, { status: 206, complete: true });
  t.ok(reply.body.equals(CONTENT.subarray(0, 400_000)));
  t.match(await lineOf(edge, reply), { upstream: 'harbor', outcome: 'served', splices: undefined });
  await nothingLeft(edge);
});

t.test('a trickle that breaks off is asked again when no other upstream serves', async (t) => {
  const only = await startMadeUpstream(t, async (request) => {
    if (request.nth > 0) return serveRight(request);
    await trickle(request, 60);
    request.req.socket.destroy();
  });
  const second = await startMadeUpstream(t, ({ res }) => res.writeHead(503).end());
  const edge = await startEdgeBefore(t, { only, second }, SPLICE);
  const reply = await edge.http2().ask(BLOB);
  t.match(reply, { status: 200, complete: true });
  t.ok(reply.body.equals(CONTENT));
  t.ok(second.requests.length > 1, 'the other upstream was asked');
  t.match(await lineOf(edge, reply), { splices: [{ from: 'only', to: 'only', reason: 'short' }] });
  await nothingLeft(edge);
});

t.test('a trickle without a rate to keep', async (t) => {
  const site = await startSpliceSite(t, { config: { splice: { minRate: 0, window: '100ms' } } });
  const { edge, primary } = site;
  await primary.faults.on('slow', { bytesPerSecond: 600_000 });
  const reply = await edge.http1().ask(BLOB, { headers: { range: 'bytes=-300000' } });
  t.ok(reply.body.equals(CONTENT.subarray(-300_000)));
  t.match(await lineOf(edge, reply), { upstream: 'harbor', splices: undefined });
});

/** A kilobyte every ten milliseconds. */
async function trickle({ res }: MadeRequest, times: number): Promise<void> {
  res.writeHead(200, { 'content-length': TOTAL });
  for (let time = 0; time < times && !res.destroyed; time += 1) {
    res.write(CONTENT.subarray(time * 1000, (time + 1) * 1000));
    await sleep(timeLimit(10));
  }
}

// More than fits into all buffers on the way.
const LONG = 16 * 1024 * 1024;
const PIECES = Array.from({ length: LONG / 65_536 }, () => Buffer.alloc(65_536, 'x'));

async function serveLong({ res }: MadeRequest): Promise<void> {
  res.writeHead(200, { 'content-length': LONG });
  await pipeline(Readable.from(PIECES), res);
}

async function paused(
  t: Parameters<typeof startMadeUpstream>[0],
  edge: Awaited<ReturnType<typeof startEdgeBefore>>,
  version: string,
): Promise<RawConnection['socket'] | ClientHttp2Stream> {
  if (version === 'HTTP/2') return edge.http2().open(BLOB);
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.socket.removeAllListeners('data');
  raw.send(`GET ${BLOB} HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n`);
  return raw.socket;
}

t.test('a client that reads slowly', async (t) => {
  const first = await startMadeUpstream(t, serveLong);
  const second = await startMadeUpstream(t, serveLong);
  const edge = await startEdgeBefore(t, { first, second }, { ...SPLICE, verify: 'never' });
  const readSlowly = async (version: string) => {
    const stream = await paused(t, edge, version);
    stream.on('error', () => undefined);
    let received = 0;
    let naps = 0;
    stream.on('data', (part: Buffer) => {
      received += part.length;
      // Longer than a stall, and than the window.
      if (received < LONG * (naps / 3)) return;
      naps += 1;
      stream.pause();
      setTimeout(() => stream.resume(), timeLimit(600));
    });
    await once(stream, 'close');
    t.ok(received >= LONG, `${version}: gets all of it`);
    t.ok(naps >= 2, 'and took its time');
  };
  await Promise.all(['HTTP/1.1', 'HTTP/2'].map(readSlowly));
  t.equal(first.requests.length, 2);
  t.equal(second.requests.length, 0, 'no other upstream was asked');
  await until(() => edge.requests.filter(({ kind }) => kind === 'blob').length === 2);
  for (const line of edge.requests) t.match(line, { outcome: 'served', splices: undefined });
  await nothingLeft(edge);
});
