import t from 'tap';
import { RawConnection } from '../../helpers/raw-connection.ts';
import {
  BLOB,
  blobBelow,
  CONTENT,
  lineOf,
  type MadeRequest,
  type MadeUpstream,
  nothingLeft,
  serveBroken,
  serveRight,
  startBreaking,
  startEdgeBefore,
  startEdgeOf,
  startMadeUpstream,
  TOTAL,
} from './splice-site.ts';

// What an upstream may answer that is asked to go on, and what it may not.

const BREAK = 300_000;
type Answer = (request: MadeRequest) => unknown;

/** A 206 of these bytes, said to lie there. */
const part =
  (first: number, total: number, bytes: Buffer, more: Record<string, string> = {}): Answer =>
  ({ res }) => {
    const range = `bytes ${first}-${first + bytes.length - 1}/${total}`;
    res.writeHead(206, { 'content-range': range, 'content-length': bytes.length, ...more }).end(bytes);
  };

function flipped(at: number): Buffer {
  const bytes = Buffer.from(CONTENT);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

const FIT: [says: string, answer: Answer][] = [
  ['the range', serveRight],
  ['the whole blob', ({ res }) => res.writeHead(200, { 'content-length': TOTAL }).end(CONTENT)],
  ['an earlier beginning', part(1000, TOTAL, CONTENT.subarray(1000))],
  [
    'the range in chunks',
    ({ res, first }) => {
      res.writeHead(206, { 'content-range': `bytes ${first}-${TOTAL - 1}/${TOTAL}` });
      for (let at = first; at < TOTAL; at += 10_000) res.write(CONTENT.subarray(at, at + 10_000));
      res.end();
    },
  ],
  [
    'the range, behind a redirect of its own',
    (request) => {
      if (request.req.url?.includes('?moved')) serveRight(request);
      else request.res.writeHead(307, { location: `${request.req.url}?moved` }).end();
    },
  ],
  [
    'a part of it, and then the rest',
    (request) => (request.nth === 0 ? serveBroken(request, 200_000) : serveRight(request)),
  ],
];

const UNFIT: [says: string, answer: Answer][] = [
  ['a blob of another length', part(0, TOTAL + 1, Buffer.concat([CONTENT, Buffer.alloc(1)]))],
  ['a whole blob of another length', ({ res }) => res.writeHead(200, { 'content-length': 10 }).end('0123456789')],
  ['a later beginning', part(BREAK + 1, TOTAL, CONTENT.subarray(BREAK + 1))],
  ['an early end', ({ res, first }) => part(first, TOTAL, CONTENT.subarray(first, TOTAL - 1))({ res } as MadeRequest)],
  ['a range without its place', ({ res, first }) => res.writeHead(206).end(CONTENT.subarray(first))],
  ['encoded bytes', part(0, TOTAL, CONTENT, { 'content-encoding': 'gzip' })],
  [
    'another first byte of the overlap',
    ({ first, res }) => {
      part(first, TOTAL, flipped(first).subarray(first))({ res } as MadeRequest);
    },
  ],
  [
    'another last byte of the overlap',
    ({ first, res }) => {
      part(first, TOTAL, flipped(first + 65_535).subarray(first))({ res } as MadeRequest);
    },
  ],
  [
    'a whole blob with another byte where it was sent already',
    ({ first, res }) => {
      // The first byte of the overlap: a reset may have taken back some of the last ones before it.
      res.writeHead(200, { 'content-length': TOTAL }).end(flipped(first));
    },
  ],
  [
    'the bytes of another place',
    ({ first, res }) => {
      part(first, TOTAL, Buffer.concat([CONTENT.subarray(first + 1), Buffer.alloc(1)]))({ res } as MadeRequest);
    },
  ],
  ['no range', ({ res }) => res.writeHead(416, { 'content-range': `bytes */${TOTAL}` }).end()],
  ['not found', ({ res }) => res.writeHead(404).end()],
  ['a denial', ({ res }) => res.writeHead(403).end('{}')],
  ['not modified', ({ res }) => res.writeHead(304).end()],
  ['no content', ({ res }) => res.writeHead(204).end()],
  [
    'a head, and no byte',
    ({ res, first }) => {
      res.writeHead(206, { 'content-range': `bytes ${first}-${TOTAL - 1}/${TOTAL}`, 'content-length': TOTAL - first });
      res.flushHeaders();
      res.socket?.end();
    },
  ],
];

t.test('upstreams that may resume a download', async (t) => {
  const routes: Parameters<typeof startEdgeOf>[1] = {};
  for (const [index, [, answer]] of FIT.entries()) {
    const first = await startBreaking(t, BREAK);
    routes[`fit${index}/`] = { [`first${index}`]: first, [`second${index}`]: await startMadeUpstream(t, answer) };
  }
  const edge = await startEdgeOf(t, routes);
  for (const [index, [says]] of FIT.entries()) {
    const reply = await edge.http1().ask(blobBelow(`fit${index}/`));
    t.match(reply, { status: 200, complete: true, headers: { 'x-breakwater-upstream': `first${index}` } }, says);
    t.ok(reply.body.equals(CONTENT), 'all of it, as it should be');
    t.match(await lineOf(edge, reply), { outcome: 'fallback', upstream: `second${index}` });
  }
  await nothingLeft(edge);
});

t.test('upstreams that may not resume a download', async (t) => {
  const routes: Parameters<typeof startEdgeOf>[1] = {};
  const third = await startMadeUpstream(t, serveRight);
  const seconds: MadeUpstream[] = [];
  for (const [index, [, answer]] of UNFIT.entries()) {
    const second = await startMadeUpstream(t, answer);
    seconds.push(second);
    const unfit = { [`second${index}`]: second };
    routes[`alone${index}/`] = { [`first${index}`]: await startBreaking(t, BREAK), ...unfit };
    routes[`rescued${index}/`] = { [`another${index}`]: await startBreaking(t, BREAK), ...unfit, third };
  }
  const edge = await startEdgeOf(t, routes, { verify: 'never' });
  for (const [index, [says]] of UNFIT.entries()) {
    const reply = await edge.http2().ask(blobBelow(`alone${index}/`));
    t.match(reply, { status: 200, complete: false }, `${says}: is no end`);
    t.ok((seconds[index]?.requests.length ?? 0) > 0, 'it was asked');
    t.ok(reply.body.equals(CONTENT.subarray(0, reply.body.length)), 'what was sent is right');
    const line = await lineOf(edge, reply);
    t.match(line, { outcome: 'cut' });
    t.ok((line.splices?.length ?? 0) > 0, 'and it is told');

    const rescued = await edge.http1().ask(blobBelow(`rescued${index}/`));
    t.match(rescued, { status: 200, complete: true }, `${says}: the next one is asked`);
    t.ok(rescued.body.equals(CONTENT));
    t.match(await lineOf(edge, rescued), { upstream: 'third' });
  }
  await nothingLeft(edge);
});

t.test('no upstream resumes a chunked body without a length', async (t) => {
  const first = await startMadeUpstream(t, async ({ req, res }) => {
    await new Promise<void>((resolve) => {
      res.writeHead(200).write(CONTENT.subarray(0, BREAK), () => resolve());
    });
    req.socket.resetAndDestroy();
  });
  const second = await startMadeUpstream(t, serveRight);
  const edge = await startEdgeBefore(t, { first, second });
  t.match(await edge.http2().ask(BLOB), { status: 200, complete: false });
  t.equal(second.requests.length, 0);
  await nothingLeft(edge);
});

t.test('a single upstream', async (t) => {
  t.test('is asked again once the connection broke', async (t) => {
    const only = await startMadeUpstream(t, (request) =>
      request.nth === 0 ? serveBroken(request, BREAK) : serveRight(request),
    );
    const edge = await startEdgeBefore(t, { only });
    const reply = await edge.http1().ask(BLOB);
    t.match(reply, { status: 200, complete: true });
    t.ok(reply.body.equals(CONTENT));
    t.match(await lineOf(edge, reply), { outcome: 'served', splices: [{ from: 'only', to: 'only' }] });
    await nothingLeft(edge);
  });

  t.test('that is gone leaves a FIN short of the length, from which clients resume', async (t) => {
    let gone = true;
    const only = await startMadeUpstream(t, (request) => {
      if (!gone) serveRight(request);
      else if (request.nth === 0) void serveBroken(request, BREAK);
      else request.req.socket.destroy();
    });
    const edge = await startEdgeBefore(t, { only });
    const raw = await RawConnection.connect(t, edge.http1().target);
    raw.send(`GET ${BLOB} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
    await raw.closed();
    t.equal(raw.end, 'fin');
    t.match(raw.text, new RegExp(`content-length: ${TOTAL}\r\n`));
    const body = raw.received.subarray(raw.received.indexOf('\r\n\r\n') + 4);
    t.ok(
      body.length > 0 && body.length < TOTAL && body.equals(CONTENT.subarray(0, body.length)),
      `${body.length} bytes`,
    );
    t.match(await edge.line(({ outcome }) => outcome === 'cut'), { splices: [{ from: 'only', to: undefined }] });
    gone = false;
    const rest = await edge.http1().ask(BLOB, { headers: { range: `bytes=${body.length}-` } });
    t.match(rest, { status: 206, complete: true });
    t.ok(Buffer.concat([body, rest.body]).equals(CONTENT), 'together they are the blob');
    await nothingLeft(edge);
  });

  t.test('that breaks off for ever is left in the end', async (t) => {
    const only = await startMadeUpstream(t, (request) => serveBroken(request, 100_000));
    const edge = await startEdgeBefore(t, { only });
    const reply = await edge.http2().ask(BLOB);
    t.match(reply, { complete: false });
    t.ok(only.requests.length <= 4, `${only.requests.length} requests`);
    await nothingLeft(edge);
  });
});
