import { once } from 'node:events';
import t from 'tap';
import { until } from '../helpers/until.ts';
import { connect2, connectRaw, request1, startListener } from './listener-harness.ts';

const HOLD = { isHeld: () => true, untilAcknowledged: true };
const REQUEST = 'GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n';
const linux = process.platform === 'linux' && process.getBuiltinModule('node:ffi') !== undefined;

t.test('a reply is under way until its client has every byte', { skip: !linux && 'Linux only' }, async (t) => {
  for (const end of ['read', 'cut'] as const) {
    const { listener, port } = await startListener(t, { handler: (_req, res) => res.end(Buffer.alloc(2_000_000)) });
    const hold = listener.hold(HOLD);
    const client = await connectRaw(t, port);
    const closed = new Promise((resolve) => client.socket.once('close', resolve));
    client.socket.on('error', () => undefined).pause();
    client.socket.write(REQUEST);
    await until(() => hold.counts.finished === 1, { what: () => 'the exchange to end' });
    await until(() => hold.settled);
    t.match(hold.load(), { connections: 1, underWay: 1 }, 'the kernel has the rest');
    if (end === 'cut') await hold.cut();
    client.socket.resume();
    await closed;
    await until(() => hold.load().connections === 0, { what: () => 'the connection to be closed' });
    t.match(hold.load(), { underWay: 0 });
    t.equal(client.received().length > 2_000_000, end === 'read', end);
  }
});

t.test('a connection that was promised keep-alive serves one more request', async (t) => {
  const { listener, port } = await startListener(t);
  const client = await connectRaw(t, port);
  client.socket.write(REQUEST);
  await once(client.socket, 'data');
  const hold = listener.hold(HOLD);
  client.socket.write(REQUEST);
  t.match(await client.closed, /200 OK[\s\S]*200 OK[\s\S]*connection: close/i);
  t.same(hold.counts, { finished: 1, cut: 0 });
});

t.test('idle connections and sessions end soon, and new ones are served', async (t) => {
  const { listener, port } = await startListener(t);
  const client = await connectRaw(t, port);
  client.socket.write(REQUEST);
  await once(client.socket, 'data');
  const session = await connect2(t, port);
  const ended = once(session, 'close');
  const hold = listener.hold(HOLD);
  t.equal(listener.hold(HOLD), hold, 'a second hold joins the first');
  await Promise.all([client.closed, ended]);
  await until(() => hold.settled);
  t.match(await request1(port), { status: 200, headers: { connection: 'close' } });
});

t.test('only what is older is cut', async (t) => {
  const { listener, port } = await startListener(t, {
    handler: (_req, res) => void (res as NodeJS.WritableStream).write('half'),
  });
  const hold = listener.hold(HOLD);
  const client = await connectRaw(t, port);
  client.socket.on('error', () => undefined);
  client.socket.write(REQUEST);
  await once(client.socket, 'data');
  await hold.cut(60_000);
  t.equal(hold.load().underWay, 1);
  await hold.cut();
  t.match(hold.load(), { underWay: 0 });
  t.same(hold.counts, { finished: 0, cut: 1 });
});
