import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import t, { type Test } from 'tap';
import { FRAME, FrameClient } from './http2-frames.ts';
import { closing, connect2, LIMITS, request2, startListener } from './listener-harness.ts';

const BOUND = LIMITS.headerBytes;
const PSEUDO = { ':method': 'GET', ':scheme': 'https', ':authority': 'edge.test', ':path': '/' };

/** A listener that notes what reached its handler, and which bodies of it ended. */
async function noting(t: Test) {
  const seen: string[] = [];
  const started = await startListener(t, {
    handler: (req, res) => {
      seen.push(`${req.method}`);
      req.on('error', () => seen.push('failed')).on('end', () => seen.push('ended'));
      req.resume().on('end', () => res.end('ok'));
    },
  });
  return { ...started, seen, session: await connect2(t, started.port) };
}

/** RFC 9113 section 6.5.2. */
function sizeOf(fields: Record<string, string>): number {
  return Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
}

/** Fields of 36 bytes each, which count so many bytes together. */
function small(bytes: number): Record<string, string> {
  const named = (index: number) => `${index}`.padStart(3, 'x');
  return Object.fromEntries(Array.from({ length: bytes / 36 }, (_, index) => [named(index), 'y']));
}

t.test('HTTP/2 header lists are bounded by their size, with 32 bytes for each field', async (t) => {
  const { session, seen, listener } = await noting(t);
  const fits = BOUND - sizeOf(PSEUDO);
  const lists: Record<string, (bytes: number) => Record<string, string>> = {
    'one long field': (bytes) => ({ x: 'y'.repeat(bytes - 33) }),
    'one long cookie': (bytes) => ({ cookie: 'y'.repeat(bytes - 38) }),
    'a long path': (bytes) => ({ ':path': `/${'y'.repeat(bytes)}` }),
    'a long host': (bytes) => ({ ':authority': `edge.test${'y'.repeat(bytes)}` }),
    'many small fields': (bytes) => ({ ...small(bytes - 200), z: 'y'.repeat(((bytes - 200) % 36) + 200 - 33) }),
  };
  for (const [name, list] of Object.entries(lists)) {
    t.equal(sizeOf({ ...PSEUDO, ...list(fits) }), BOUND, `${name}: the test counts right`);
    t.match(await request2(session, { ...PSEUDO, ...list(fits) }), { status: 200, body: 'ok' }, `${name} that fits`);
    const { status, body } = await request2(session, { ...PSEUDO, ...list(fits + 1) });
    t.equal(status, 431, `${name} with one byte more`);
    t.match(JSON.parse(body), { errors: [{ code: 'UNSUPPORTED' }] });
  }
  t.equal(seen.filter((event) => event === 'GET').length, 5);
  t.equal(listener.counts.malformed, 5);
});

t.test('an HTTP/2 upload with a list that is too long is refused without its body', async (t) => {
  const { session, seen, listener } = await noting(t);
  const headers = { ...PSEUDO, ':method': 'PUT', x: 'y'.repeat(BOUND) };
  t.match(await request2(session, headers, 'body'), { status: 431 });
  t.match(await request2(session), { status: 200 }, 'and the session goes on');
  t.same(seen, ['GET', 'ended']);
  t.equal(listener.load().exchanges, 0);
});

t.test('a list far beyond the bound is reset, and the session goes on', async (t) => {
  const { session, seen } = await noting(t);
  await t.rejects(request2(session, { x: 'y'.repeat(4 * BOUND) }), { code: 'ERR_HTTP2_STREAM_ERROR' });
  t.same(seen, []);
  t.match(await request2(session), { status: 200 });
});

t.test('a client that never acknowledges the settings gets no further', async (t) => {
  const { port, seen, listener } = await noting(t);
  const client = await FrameClient.connect(t, port);
  // Every field after the first is one byte that refers to it (RFC 7541 section 6.1).
  const [head, first] = [client.headers('GET'), Buffer.from([0x40, 1, 0x78, 100, ...Buffer.alloc(100, 'y')])];
  client.send(FRAME.headers, 0x5, 1, Buffer.concat([head, first, Buffer.alloc(4_000, 0xbe)]));
  const { type, stream } = await client.receive(FRAME.headers, FRAME.reset, FRAME.goaway);
  t.same([type, stream], [FRAME.headers, 1]);
  t.equal(listener.counts.malformed, 1);
  t.same(seen, []);
});

t.test('a flood of CONTINUATION frames ends the session', async (t) => {
  const { port, listener, seen } = await noting(t);
  const client = await FrameClient.connect(t, port);
  let open = true;
  const closed = client.closed.then(() => {
    open = false;
  });
  client.send(FRAME.headers, 0x1, 1, client.headers('GET'));
  const field = Buffer.concat([Buffer.from([0, 1, 0x78, 100]), Buffer.alloc(100, 'y')]);
  for (let sent = 0; sent < 10_000 && open; sent += 1) {
    client.send(FRAME.continuation, 0, 1, field);
    if (sent % 100 === 99) await new Promise(setImmediate);
  }
  await closed;
  t.same(seen, []);
  t.equal(listener.load().exchanges, 0);
});

/** An upload whose body ends with trailers. */
function upload(session: ClientHttp2Session, trailers: IncomingHttpHeaders): ClientHttp2Stream {
  const stream = session.request({ ...PSEUDO, ':method': 'PUT' }, { endStream: false, waitForTrailers: true });
  stream.on('error', () => {}).once('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end('body');
  return stream;
}

t.test('the trailers of an HTTP/2 upload are bounded as its headers are', async (t) => {
  const { session, seen, listener } = await noting(t);
  const [fine] = await once(upload(session, { x: 'y'.repeat(BOUND - 33) }).resume(), 'response');
  t.equal(fine[':status'], 200);
  t.same(seen.splice(0), ['PUT', 'ended']);

  const refused = upload(session, { x: 'y'.repeat(BOUND - 32) }).resume();
  const closed = closing(refused);
  t.equal((await once(refused, 'response'))[0][':status'], 431);
  await closed;
  t.same(seen, ['PUT', 'failed'], 'its body never counts as complete');
  t.match(await request2(session), { status: 200 }, 'and the session goes on');
  t.equal(listener.load().exchanges, 0);
});

t.test('an upload with long trailers is reset if its reply has begun', async (t) => {
  const events: string[] = [];
  const { port, listener } = await startListener(t, {
    handler: (req, res) => {
      (res as NodeJS.WritableStream).write('begun');
      req.on('error', () => events.push('failed')).on('end', () => events.push('ended'));
      req.resume();
    },
  });
  const refused = upload(await connect2(t, port), { x: 'y'.repeat(BOUND) }).resume();
  await closing(refused);
  t.equal(refused.rstCode, 11, 'ENHANCE_YOUR_CALM');
  t.same(events, ['failed']);
  t.equal(listener.counts.malformed, 1);
});

t.test('new limits hold for HTTP/2 without a restart', async (t) => {
  const { listener, session } = await noting(t);
  const long = { x: 'y'.repeat(10_000) };
  t.match(await request2(session, long), { status: 200 });
  listener.update({ ...LIMITS, headerBytes: 4_096 });
  t.match(await request2(session, long), { status: 431 });
});
