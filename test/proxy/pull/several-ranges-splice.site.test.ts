import t from 'tap';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { partsOf } from '../../helpers/multipart.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';
import { until } from '../../helpers/until.ts';
import {
  BLOB,
  CONTENT,
  lineOf,
  type MadeRequest,
  nothingLeft,
  serveBroken,
  serveRight,
  startEdgeBefore,
  startMadeUpstream,
  TOTAL,
} from './splice-site.ts';

// Parts of a blob whose upstreams fail meanwhile.

/** Two parts in one read, then parts that need a read each. */
const SPANS = [
  [0, 99_999],
  [120_000, 219_999],
  ...[3, 4, 5, 6, 7].map((index) => [index * 120_000, index * 120_000 + 40_000]),
] as [number, number][];
const SET = SPANS.map((span) => span.join('-')).join(',');

const ask = (client: Client, set = SET) => client.ask(BLOB, { headers: { range: `bytes=${set}` } });

function isRight(reply: Reply): boolean {
  const parts = partsOf(reply);
  return (
    reply.complete &&
    parts.length === SPANS.length &&
    parts.every(
      ({ first, last, bytes }, index) =>
        first === SPANS[index]?.[0] && last === SPANS[index]?.[1] && bytes.equals(CONTENT.subarray(first, last + 1)),
    )
  );
}

t.test('an upstream that is killed in the middle of a part', async (t) => {
  for (const where of [20_000, 150_000, 219_999])
    for (const version of ['http1', 'http2'] as const) {
      const first = await startMadeUpstream(t, (request) =>
        request.nth === 0 ? serveBroken(request, where) : request.res.writeHead(500).end(),
      );
      const second = await startMadeUpstream(t, serveRight);
      const edge = await startEdgeBefore(t, { first, second });
      const reply = await ask(edge[version]());
      t.equal(reply.status, 206);
      t.ok(isRight(reply), `after ${where} bytes, ${version}`);
      const line = await lineOf(edge, reply);
      t.match(line, {
        parts: SPANS.length,
        upstream: 'second',
        outcome: 'fallback',
        splices: [{ from: 'first', to: 'second', reason: 'reset' }],
      });
      const broken = line.attempts.filter(({ upstream, outcome }) => upstream === 'first' && outcome === 'served');
      t.strictSame(broken, [], 'the read that broke off has failed');
      t.match(
        line.attempts.find(({ upstream }) => upstream === 'first'),
        { outcome: 'failed', reason: 'reset' },
      );
      t.ok(line.attempts.length <= 4, `${JSON.stringify(line.attempts)}: ways, and not reads, are listed`);
      await nothingLeft(edge);
    }
});

t.test('an upstream that is killed between two reads', async (t) => {
  const first = await startMadeUpstream(t, (request) =>
    request.nth < 2 ? serveRight(request) : request.req.socket.destroy(),
  );
  const second = await startMadeUpstream(t, serveRight);
  const edge = await startEdgeBefore(t, { first, second });
  const reply = await ask(edge.http1());
  t.ok(isRight(reply));
  t.match(await lineOf(edge, reply), { upstream: 'second' });
  await nothingLeft(edge);
});

t.test('a read that could not begin ahead of its turn is tried again', async (t) => {
  const far = Array.from({ length: 8 }, (_, index) => `${index * 100_000}-${index * 100_000 + 9}`).join(',');
  for (const failing of [[2], [1, 4, 7]]) {
    const only = await startMadeUpstream(t, (request) =>
      failing.includes(request.nth) ? request.res.writeHead(500).end() : serveRight(request),
    );
    const edge = await startEdgeBefore(t, { only });
    const reply = await ask(edge.http1(), far);
    t.match(reply, { status: 206, complete: true });
    t.strictSame(
      partsOf(reply)
        .map(({ first, last }) => `${first}-${last}`)
        .join(','),
      far,
    );
    t.match(await lineOf(edge, reply), { outcome: 'served', parts: 8 });
    await nothingLeft(edge);
  }
});

t.test('every read breaks off once', async (t) => {
  const only = await startMadeUpstream(t, (request) =>
    request.first % 120_000 === 0 && request.last - request.first > 1000 && request.nth % 2 === 0
      ? serveBroken(request, 30_000)
      : serveRight(request),
  );
  const other = await startMadeUpstream(t, serveRight);
  const edge = await startEdgeBefore(t, { only, other });
  const reply = await ask(edge.http2());
  t.ok(isRight(reply));
  const line = await lineOf(edge, reply);
  t.ok((line.splices?.length ?? 0) > 0);
  const failed = line.attempts.filter(({ outcome }) => outcome === 'failed');
  const reads = failed.reduce((sum, attempt) => sum + (attempt.reads ?? 1), 0);
  t.equal(reads, line.splices?.length, 'each one that broke off has failed');
  await nothingLeft(edge);
});

/** Upstreams that must not bring the later parts. */
const UNFIT: [string, (request: MadeRequest) => unknown][] = [
  ['refuses', ({ res }) => res.writeHead(500).end()],
  ['lacks the blob', ({ res }) => res.writeHead(404).end()],
  ['ignores ranges', ({ res }) => res.writeHead(200, { 'content-length': TOTAL }).end(CONTENT)],
  [
    'has a longer blob',
    ({ res, first, last }) => {
      const head = { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${TOTAL + 1}` };
      res.writeHead(206, head).end(CONTENT.subarray(first, last + 1));
    },
  ],
];

t.test('without an upstream for a later part, the reply ends early', async (t) => {
  for (const [name, answer] of UNFIT)
    for (const version of ['http1', 'http2'] as const) {
      const first = await startMadeUpstream(t, (request) =>
        request.nth === 0 ? serveRight(request) : request.res.writeHead(500).end(),
      );
      const second = await startMadeUpstream(t, answer);
      const edge = await startEdgeBefore(t, { first, second });
      const reply = await ask(edge[version]());
      t.match(reply, { status: 206, complete: false }, `${version}: the other one ${name}`);
      t.ok(reply.body.length < 200_000 + 1000, 'only the parts of the first read were sent');
      const line = await lineOf(edge, reply);
      t.match(line, { outcome: 'cut', detail: 'no upstream could serve bytes 360000-400000 of the body' });
      const served = line.attempts.find(({ outcome }) => outcome === 'served');
      t.match(served, { upstream: 'first' }, 'the read that was sent has not failed');
      await nothingLeft(edge);
    }
});

t.test('a client that leaves ends all reads', async (t) => {
  const only = await startMadeUpstream(t, ({ req, res, first, last }) => {
    res.writeHead(206, { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${TOTAL}` });
    res.write(CONTENT.subarray(first, first + 20_000));
    req.socket.on('error', () => undefined);
  });
  const edge = await startEdgeBefore(t, { only }, {}, { deadlines: { stall: '60s', blob: '5s' } });
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(`GET ${BLOB} HTTP/1.1\r\nHost: edge.test\r\nRange: bytes=${SET}\r\n\r\n`);
  await until(() => only.open.size === 3, { what: () => `three reads: ${only.open.size}` });
  raw.socket.destroy();
  await until(() => only.open.size === 0, { what: () => `no reads: ${only.open.size}` });
  t.match(await edge.line(({ outcome }) => outcome === 'aborted'), { parts: SPANS.length, status: 206 });
  const stream = edge.http2().open(BLOB, { headers: { range: `bytes=${SET}` } });
  stream.on('error', () => undefined);
  stream.resume();
  await until(() => only.open.size === 3, { what: () => `three reads: ${only.open.size}` });
  stream.close(8);
  await until(() => only.open.size === 0, { what: () => `no reads: ${only.open.size}` });
  await nothingLeft(edge);
});
