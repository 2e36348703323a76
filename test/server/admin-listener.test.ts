import { once } from 'node:events';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { type AdminServerOptions, createAdminServer } from '../../src/server/admin-listener.ts';
import { closeNow, listenOn } from '../../src/server/bound-address.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { until } from '../helpers/until.ts';
import { Cable } from './cable.ts';
import { endless } from './listener-harness.ts';

async function start(t: Test, handler: http.RequestListener, times?: AdminServerOptions) {
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const server = createAdminServer(handler, onError, times);
  const { port } = await listenOn(server, '127.0.0.1:0', onError);
  t.teardown(() => closeNow(server));
  return { server, port, errors };
}

async function request(port: number, options: http.RequestOptions = {}, body?: string) {
  const req = http.request({ port, host: '127.0.0.1', agent: false, ...options });
  req.end(body);
  const [res] = await once(req, 'response');
  return { status: res.statusCode, body: Buffer.concat(await res.toArray()).toString() };
}

t.test('hands requests to its handler', async (t) => {
  const { port } = await start(t, (req, res) => req.pipe(res));
  const body = 'x'.repeat(65_536);
  t.match(await request(port, { method: 'POST', headers: { 'content-length': body.length } }, body), {
    status: 200,
    body,
  });
});

t.test('bounds headers and bodies', async (t) => {
  const { port } = await start(t, () => t.fail('this reaches no handler'));
  t.match(await request(port, { headers: { x: 'x'.repeat(9_000) } }), { status: 431 });
  t.match(await request(port, { method: 'POST', headers: { 'content-length': 65_537 } }), { status: 413 });
  t.match(await request(port, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }), { status: 411 });
});

t.test('goes on in HTTP/1.1 with clients that would like another protocol', async (t) => {
  const { port } = await start(t, (_req, res) => res.end('ready'));
  // Java's client asks so of every plain server.
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAAAAIAAAAA' };
  t.match(await request(port, { headers }), { status: 200, body: 'ready' });
});

t.test('lets go of a client that vanishes in the middle of its answer', async (t) => {
  const idle = timeLimit(300);
  const { server, port } = await start(t, (_req, res) => endless(res), { idle, sweep: 25 });
  const cable = await Cable.to(t, port);
  const client = connect(cable.port, '127.0.0.1').on('error', () => {});
  t.teardown(() => client.destroy());
  client.write('GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n');
  await once(client, 'data');
  cable.pull();
  const left = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  await until(async () => (await left()) === 0);
});

t.test('waits as long as an answer takes', async (t) => {
  const idle = timeLimit(100);
  const { port } = await start(t, (_req, res) => void setTimeout(() => res.end('late'), 4 * idle), { idle, sweep: 25 });
  t.match(await request(port), { status: 200, body: 'late' });
});

/** Opens so many connections; `head` is what each sends. Resolves when all are open. */
async function openMany(
  t: Test,
  port: number,
  number: number,
  head: string,
  localAddress = '127.0.0.1',
): Promise<Socket[]> {
  const sockets = Array.from({ length: number }, () =>
    connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {}),
  );
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(
    sockets.map(async (socket) => {
      await once(socket, 'connect');
      if (head !== '') socket.write(head);
    }),
  );
  return sockets;
}

t.test('connections that ask nothing, or slowly, keep nobody out', async (t) => {
  const { port } = await start(t, (_req, res) => res.end('ready'));
  await openMany(t, port, 200, '');
  await openMany(t, port, 200, 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
  const asked = performance.now();
  for (let round = 0; round < 10; round += 1) t.match(await request(port), { status: 200, body: 'ready' });
  // A request that waits for an idle connection to be closed waits for a sweep of 5 s.
  t.ok(performance.now() - asked < timeLimit(15_000), 'and each is answered at once');
});

t.test('neither do requests that are never done', async (t) => {
  const { port } = await start(t, (req, res) => {
    if (req.url === '/readyz') res.end('ready');
    else res.write('data: \n\n');
  });
  await openMany(t, port, 400, 'GET /hangs HTTP/1.1\r\nHost: localhost\r\n\r\n');
  t.match(await request(port, { path: '/readyz' }), { status: 200, body: 'ready' });
});

t.test(
  'the idle connection goes that has been idle for the longest time; one with a request under way stays',
  async (t) => {
    const arrived = Promise.withResolvers<http.ServerResponse>();
    const { port } = await start(t, (req, res) => {
      if (req.url === '/slow') arrived.resolve(res);
      else res.end('ready');
    });
    const slow = request(port, { path: '/slow' });
    const response = await arrived.promise;
    const [first, second] = await openMany(t, port, 2, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    if (!first || !second) throw new Error('no connections');
    await Promise.all([once(first, 'data'), once(second, 'data')]);
    first.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(first, 'data');
    const closed: string[] = [];
    first.on('close', () => closed.push('first'));
    second.on('close', () => closed.push('second'));
    const full = performance.now();
    await openMany(t, port, 254, '');
    await once(second, 'close');
    t.ok(performance.now() - full < timeLimit(10_000), 'at once, and not because of a timeout');
    t.same(closed, ['second'], 'the other one has asked since');
    response.end('done');
    t.match(await slow, { status: 200, body: 'done' });
  },
);

t.test('a client that floods replaces its own connections', async (t) => {
  const { port } = await start(t, (_req, res) => res.end('ready'));
  const [early] = await openMany(t, port, 1, '');
  await openMany(t, port, 400, '', '127.0.0.2');
  if (!early) throw new Error('no connection');
  early.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [answer] = await Promise.race([once(early, 'data'), once(early, 'close')]);
  t.match(String(answer), /^HTTP\/1\.1 200 /, 'the connection that has waited for longest is of another client');
});

t.test('while descriptors are short, few connections are kept', async (t) => {
  let short = false;
  const { server, port } = await start(t, (_req, res) => res.end('ready'), { isShort: () => short });
  await openMany(t, port, 100, '');
  const left = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  await until(async () => (await left()) === 100);
  short = true;
  t.match(await request(port), { status: 200, body: 'ready' });
  await until(async () => (await left()) <= 16, { what: () => 'the others to be closed' });
});

t.test('closes at once, whatever is under way', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const { server, port } = await start(t, (_req, res) => {
    res.write('data: \n\n');
    arrived.resolve();
  });
  const events = t.rejects(request(port));
  await arrived.promise;
  await closeNow(server);
  await events;
});

t.test('says so when its address is taken', async (t) => {
  const { port } = await start(t, () => {});
  const second = createAdminServer(
    () => {},
    () => {},
  );
  await t.rejects(
    listenOn(second, `127.0.0.1:${port}`, () => {}),
    { code: 'EADDRINUSE' },
  );
});
