import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { ClientResponse } from '../../src/server/exchanges.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import { closing, endless, LIMITS, startListener } from './listener-harness.ts';

// HTTP without TLS has the guards of the https listener, because it is built from the same parts. test/server/wire.test.ts has more of them.

const HOST = 'Host: edge.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;

interface PlainClient {
  socket: Socket;
  received: () => string;
  /** Resolves with everything received once the server has closed the connection. */
  closed: Promise<string>;
}

async function connect(t: Test, port: number): Promise<PlainClient> {
  const socket = net.connect({ port, host: '127.0.0.1' }).on('error', () => {});
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  const closed = closing(socket).then(() => text);
  await once(socket, 'connect');
  return { socket, received: () => text, closed };
}

async function sendText(t: Test, port: number, text: string): Promise<string> {
  const client = await connect(t, port);
  client.socket.write(text);
  return client.closed;
}

t.test('headers are bounded in bytes and in time, live', async (t) => {
  const { port, listener } = await startListener(t, { plain: true, timings: { headers: 200, sweep: 50 } });
  const long = (bytes: number) => `GET / HTTP/1.1\r\n${HOST}Connection: close\r\nX: ${'x'.repeat(bytes)}\r\n\r\n`;
  t.match(await sendText(t, port, long(LIMITS.headerBytes)), /^HTTP\/1\.1 431 /);
  t.match(await sendText(t, port, long(10_000)), /^HTTP\/1\.1 200 /);
  listener.update({ ...LIMITS, headerBytes: 4_096 });
  t.match(await sendText(t, port, long(10_000)), /^HTTP\/1\.1 431 /);
  t.match(await sendText(t, port, `GET / HTTP/1.1\r\n${HOST}`), /^HTTP\/1\.1 408 /, 'half a head');
  t.match(await (await connect(t, port)).closed, /^HTTP\/1\.1 408 /, 'nothing at all');
  t.equal(listener.counts.malformed, 4);
});

t.test('clients that stop sending or reading are cut', async (t) => {
  const { port, listener } = await startListener(t, {
    plain: true,
    limits: { ...LIMITS, clientIdle: timeLimit(300) },
    timings: { sweep: 25 },
    handler: (req, res) => (req.method === 'POST' ? req.resume().on('error', () => {}) : endless(res)),
  });
  t.equal(await sendText(t, port, `POST / HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\nsome`), '');
  t.equal(listener.counts.stalled, 1);
  const reader = await connect(t, port);
  reader.socket.write(GET);
  await once(reader.socket, 'data');
  reader.socket.pause();
  await until(() => listener.counts.stalled === 2, {
    every: 10,
    what: () => 'the client that does not read to be cut',
  });
  await until(() => listener.load().exchanges === 0, { every: 10, what: () => 'its exchange to end' });
});

t.test('an idle connection is kept for as long as is configured', async (t) => {
  const keepAlive = timeLimit(600);
  const { port } = await startListener(t, {
    plain: true,
    limits: { ...LIMITS, keepAlive },
    timings: { headers: 100, sweep: 25 },
  });
  const client = await connect(t, port);
  client.socket.write(GET);
  await once(client.socket, 'data');
  const began = performance.now();
  await client.closed;
  t.ok(performance.now() - began >= keepAlive - 50);
});

t.test('connections are limited, and closed while descriptors are short', async (t) => {
  const { port, listener } = await startListener(t, { plain: true, limits: { ...LIMITS, connections: 2 } });
  const idle = await connect(t, port);
  idle.socket.write(GET);
  await once(idle.socket, 'data');
  const fresh = await connect(t, port);
  await until(() => listener.load().connections === 2, { what: () => 'two connections' });
  t.equal(await sendText(t, port, GET), '', 'a third is closed');
  t.equal(listener.counts.shed, 1);
  listener.pause(true);
  await idle.closed;
  t.equal(await sendText(t, port, GET), '');
  fresh.socket.write(GET);
  await once(fresh.socket, 'data');
  t.match(fresh.received(), /^HTTP\/1\.1 200 /, 'a request on a connection that was open is served');
  listener.pause(false);
  t.match(await sendText(t, port, `GET / HTTP/1.0\r\n${HOST}\r\n`), /^HTTP\/1\.1 200 /);
});

t.test('an exception of a handler ends its own exchange only', async (t) => {
  const { port, errors } = await startListener(t, {
    plain: true,
    handler: (req, res) => {
      if (req.url === '/') return res.end('ok');
      if (req.url === '/half') (res as ServerResponse).write('half');
      throw new Error('a bug');
    },
  });
  t.match(await sendText(t, port, `GET /bug HTTP/1.1\r\n${HOST}\r\n`), /^HTTP\/1\.1 500 [\s\S]*"UNKNOWN"/);
  t.notMatch(
    await sendText(t, port, `GET /half HTTP/1.1\r\n${HOST}\r\n`),
    /\r\n0\r\n/,
    'half a reply never looks whole',
  );
  t.match(errors, [{ message: 'a bug' }, { message: 'a bug' }]);
  t.match(await sendText(t, port, `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`), /^HTTP\/1\.1 200 /);
});

t.test('a client that asks for HTTP/2 is served without it; tunnels are refused', async (t) => {
  const { port } = await startListener(t, { plain: true });
  const upgrade = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
  t.match(await sendText(t, port, `GET / HTTP/1.1\r\n${HOST}${upgrade}\r\n`), /^HTTP\/1\.1 200 /);
  t.match(await sendText(t, port, `CONNECT upstream.test:443 HTTP/1.1\r\n${HOST}\r\n`), /^HTTP\/1\.1 405 /);
  t.match(await sendText(t, port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), /^HTTP\/1\.1 400 /, 'HTTP/2 without asking');
});

t.test('a drain lets what runs finish, and closes what is idle', async (t) => {
  const held = Promise.withResolvers<ClientResponse>();
  const { port, listener } = await startListener(t, {
    plain: true,
    handler: (req, res) => (req.url === '/slow' ? held.resolve(res) : res.end('ok')),
  });
  const idle = await connect(t, port);
  idle.socket.write(GET);
  await once(idle.socket, 'data');
  const unused = await connect(t, port);
  const busy = await connect(t, port);
  busy.socket.write(`GET /slow HTTP/1.1\r\n${HOST}\r\n`);
  const response = await held.promise;
  await until(() => listener.load().connections === 3, { what: () => 'three connections' });
  const draining = listener.drain({ timeout: 30_000 });
  await idle.closed;
  unused.socket.write(GET);
  t.match(await unused.closed, /^HTTP\/1\.1 200 [\s\S]*connection: close/i, 'a first request on its way is served');
  response.end('late');
  t.match(await busy.closed, /late/);
  t.same(await draining, { finished: 2, cut: 0 });
});

t.test('a drain waits for that of the other listener before it ends the connections of other edges', async (t) => {
  const other = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const events: string[] = [];
  // The question of an edge stands until the end.
  const { listener, port } = await startListener(t, {
    plain: true,
    isPeer: () => true,
    handler: () => asked.resolve(),
  });
  const edge = await connect(t, port);
  edge.socket.write(GET);
  await asked.promise;
  const drained = listener.drain({ timeout: 30_000, others: other.promise, onLast: () => events.push('last') });
  void edge.closed.then(() => events.push('closed'));
  await new Promise((resolve) => setTimeout(resolve, timeLimit(300)));
  t.strictSame(events, [], 'a quiet listener alone would wait for a third of that');
  other.resolve();
  await drained;
  await edge.closed;
  t.strictSame(events, ['last', 'closed']);
});

t.test('the peer of a connection stays known after it has closed', async (t) => {
  const peer = Promise.withResolvers<string | undefined>();
  const { port, listener } = await startListener(t, {
    plain: true,
    handler: (req, res) => {
      const socket = req.socket as Socket;
      socket.once('close', () => peer.resolve(listener.peerOf(socket)));
      res.end('ok');
    },
  });
  await sendText(t, port, `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  t.equal(await peer.promise, '127.0.0.1');
});
