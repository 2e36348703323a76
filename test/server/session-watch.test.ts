import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import t, { type Test } from 'tap';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import { Cable } from './cable.ts';
import { FRAME, FrameClient } from './http2-frames.ts';
import {
  connect2,
  connectRaw,
  endless,
  type HarnessOptions,
  LIMITS,
  request2,
  startListener,
} from './listener-harness.ts';

const IDLE_MS = timeLimit(300);
/** A window that no test fills. */
const HUGE = 2 ** 31 - 1;

/** A listener with short times, and a cable to it. */
async function withCable(t: Test, options: HarnessOptions = {}) {
  const started = await startListener(t, {
    limits: { ...LIMITS, clientIdle: IDLE_MS },
    ...options,
    timings: { sweep: 25, ...options.timings },
  });
  const { listener } = started;
  const gone = () => until(() => listener.load().connections === 0, { every: 10, what: () => 'no connection is left' });
  return { ...started, cable: await Cable.to(t, started.port), gone };
}

/** A session that takes whatever the server sends. */
async function greedy(t: Test, port: number): Promise<ClientHttp2Session> {
  const session = await connect2(t, port, { settings: { initialWindowSize: HUGE } });
  session.setLocalWindowSize(HUGE);
  return session;
}

function get(session: ClientHttp2Session, path = '/'): ClientHttp2Stream {
  return session.request({ ':authority': 'edge.test', ':path': path }).on('error', () => {});
}

function put(session: ClientHttp2Session): ClientHttp2Stream {
  const upload = session.request({ ':method': 'PUT', ':authority': 'edge.test' }, { endStream: false });
  upload.on('error', () => {}).write('some');
  return upload;
}

/** A client that asked for one reply and no longer reads anything, so that its connection fills. */
async function deaf(t: Test, port: number): Promise<FrameClient> {
  const client = await FrameClient.connect(t, port, HUGE);
  client.get(1);
  await client.receive(FRAME.headers);
  client.pause();
  return client;
}

t.test('lets go of a client that vanishes while replies fill its connection', async (t) => {
  const { listener, cable, gone } = await withCable(t, { handler: (_req, res) => void endless(res) });
  const session = await greedy(t, cable.port);
  const streams = Array.from({ length: 5 }, () => get(session));
  await Promise.all(streams.map((stream) => once(stream, 'response')));
  for (const stream of streams) stream.resume();
  await once(streams[0] as ClientHttp2Stream, 'data');
  cable.pull();
  const pulled = performance.now();
  await gone();
  t.ok(performance.now() - pulled < 4 * IDLE_MS + timeLimit(1_000), 'about as soon as over HTTP/1.1');
  t.equal(listener.load().exchanges, 0);
  t.equal(listener.counts.stalled, 5, 'each request is counted once');
});

t.test('lets go of a client that vanishes behind a load balancer', async (t) => {
  const { listener, port, gone } = await withCable(t, {
    handler: (_req, res) => void endless(res),
    proxies: { isProxy: () => true, onRefused: () => t.fail('the header is right') },
  });
  const cable = await Cable.to(t, port, 'PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n');
  const stream = get(await greedy(t, cable.port)).resume();
  await once(stream, 'data');
  cable.pull();
  await gone();
  t.equal(listener.counts.stalled, 1);
});

t.test('lets go of a client that vanishes when only its window is full', async (t) => {
  const { listener, cable, gone } = await withCable(t, { handler: (_req, res) => void endless(res) });
  const stream = get(await connect2(t, cable.port));
  await once(stream, 'response');
  cable.pull();
  await gone();
  t.equal(listener.counts.stalled, 1);
});

t.test('lets go of a client that vanishes in the middle of an upload', async (t) => {
  const { listener, cable, gone } = await withCable(t, { handler: (req) => req.resume() });
  put(await connect2(t, cable.port));
  await until(() => listener.load().exchanges === 1);
  cable.pull();
  await gone();
  t.equal(listener.counts.stalled, 1);
});

t.test('lets go of a client that vanishes while it waits for its reply', async (t) => {
  const { listener, cable, gone } = await withCable(t, { handler: () => {} });
  const session = await connect2(t, cable.port);
  for (const path of ['/one', '/two']) get(session, path);
  await until(() => listener.load().exchanges === 2);
  cable.pull();
  await gone();
  t.equal(listener.counts.stalled, 2);
});

t.test('lets go of a client that vanishes without a request', async (t) => {
  const { listener, cable, gone } = await withCable(t);
  const session = await connect2(t, cable.port);
  t.match(await request2(session), { status: 200 });
  cable.pull();
  await gone();
  t.equal(listener.counts.stalled, 0);
});

t.test('closes an idle session whose GOAWAY cannot leave', async (t) => {
  const { listener, port, gone } = await withCable(t, {
    limits: { ...LIMITS, clientIdle: IDLE_MS, keepAlive: timeLimit(100) },
    handler: (_req, res) => void endless(res),
  });
  const client = await deaf(t, port);
  await until(() => listener.load().exchanges === 1);
  client.send(FRAME.reset, 0, 1, Buffer.from([0, 0, 0, 8]));
  await until(() => listener.load().exchanges === 0);
  await gone();
  t.equal(listener.counts.stalled, 0);
});

t.test('closes the connection of a session that flooded and does not read', async (t) => {
  const { listener, port, gone } = await withCable(t);
  const client = await FrameClient.connect(t, port);
  for (let sent = 0; sent < 3_000; sent += 1) client.send(FRAME.ping, 0, 0, Buffer.alloc(8));
  await gone();
  t.equal(listener.counts.floods + listener.counts.malformed, 1);
});

t.test('resets the stream of a client that is there but reads nothing of it, and keeps the session', async (t) => {
  const { listener, port } = await withCable(t, {
    handler: (req, res) => void (req.url === '/endless' ? endless(res) : res.end('ok')),
  });
  const session = await connect2(t, port);
  const stream = get(session, '/endless');
  await once(stream, 'response');
  await until(() => listener.counts.stalled === 1);
  t.match(await request2(session), { status: 200, body: 'ok' });
  t.equal(listener.load().connections, 1);
});

t.test('waits with a client that waits', async (t) => {
  const { listener, port } = await withCable(t, {
    handler: (_req, res) => void setTimeout(() => res.end('late'), 4 * IDLE_MS),
  });
  const session = await connect2(t, port);
  let pings = 0;
  session.on('ping', () => {
    pings += 1;
  });
  t.match(await request2(session), { status: 200, body: 'late' });
  t.ok(pings > 0, 'the client was asked');
  t.equal(listener.counts.stalled, 0);
});

t.test('lets go of a client that sends but takes nothing', async (t) => {
  const { listener, port, gone } = await withCable(t, { handler: (_req, res) => void endless(res) });
  const client = await deaf(t, port);
  const noise = setInterval(() => client.send(FRAME.ping, 0, 0, Buffer.alloc(8)), IDLE_MS / 10);
  t.teardown(() => clearInterval(noise));
  await gone();
  t.equal(listener.counts.stalled, 1);
});

t.test('lets go of an HTTP/1.1 client that vanishes', async (t) => {
  const { listener, cable, gone } = await withCable(t, { handler: (_req, res) => void endless(res) });
  const client = await connectRaw(t, cable.port);
  client.socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n');
  await once(client.socket, 'data');
  cable.pull();
  await gone();
  t.equal(listener.counts.stalled, 1);
});

t.test('a drain does not wait for clients that are gone, and says what it cut', async (t) => {
  const finish = Promise.withResolvers<void>();
  const { listener, port, cable } = await withCable(t, {
    handler: (req, res) => {
      if (req.url === '/late') void finish.promise.then(() => res.end('late'));
      else endless(res);
    },
  });
  const alive = request2(await connect2(t, port), { ':path': '/late' });
  const session = await greedy(t, cable.port);
  const streams = ['/one', '/two'].map((path) => get(session, path));
  await Promise.all(streams.map((stream) => once(stream, 'response')));
  for (const stream of streams) stream.resume();
  await until(() => listener.load().exchanges === 3);
  const draining = listener.drain({ timeout: timeLimit(60_000) });
  cable.pull();
  await until(() => listener.load().exchanges === 1);
  finish.resolve();
  t.match(await alive, { status: 200, body: 'late' });
  t.same(await draining, { finished: 1, cut: 2 });
});

t.test('a drain counts the replies of vanished clients as cut at its timeout, too', async (t) => {
  const { listener, cable } = await withCable(t, { limits: LIMITS, handler: (_req, res) => void endless(res) });
  const session = await greedy(t, cable.port);
  const streams = [get(session), get(session)];
  await Promise.all(streams.map((stream) => once(stream, 'response')));
  for (const stream of streams) stream.resume();
  cable.pull();
  t.same(await listener.drain({ timeout: timeLimit(300) }), { finished: 0, cut: 2 });
});

t.test('a drain ends though a GOAWAY cannot leave', async (t) => {
  const { listener, cable, gone } = await withCable(t);
  const session = await connect2(t, cable.port);
  t.match(await request2(session), { status: 200 });
  cable.pull();
  t.same(await listener.drain({ timeout: timeLimit(60_000) }), { finished: 0, cut: 0 });
  await gone();
});
