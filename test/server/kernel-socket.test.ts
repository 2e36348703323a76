import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { descriptorOf, ignoreNewConnections, unacknowledgedBytes } from '../../src/server/kernel-socket.ts';

const skip = process.platform === 'linux' && process.getBuiltinModule('node:ffi') ? false : 'Linux and node:ffi only';

async function listen(t: Test, onConnection: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { server, port: (server.address() as { port: number }).port };
}

t.test('new connections wait, and nobody is refused', { skip }, async (t) => {
  const { server, port } = await listen(t, (socket) => socket.on('data', (data) => socket.end(data)));
  const before = connect(port, '127.0.0.1');
  await once(before, 'connect');
  t.ok(ignoreNewConnections(server, true));
  const late = connect(port, '127.0.0.1');
  let connected = false;
  const lateConnects = once(late, 'connect').then(() => {
    connected = true;
  });
  before.write('open connections go on');
  t.equal(String((await once(before, 'data'))[0]), 'open connections go on');
  await delay(100);
  t.notOk(connected);
  t.ok(ignoreNewConnections(server, false));
  t.ok(ignoreNewConnections(server, false), 'twice is as good');
  await lateConnects;
  t.pass('its first packet was repeated');
  late.destroy();
  before.destroy();
});

t.test('what a client has not acknowledged', { skip }, async (t) => {
  const { port } = await listen(t, (socket) => {
    socket.write(Buffer.alloc(16 * 1_048_576));
    socket.once('drain', () => socket.destroy());
    setTimeout(() => reading.emit('full', socket), 100);
  });
  const reading = connect(port, '127.0.0.1').pause();
  const [socket] = await once(reading, 'full');
  t.ok((unacknowledgedBytes(socket) ?? 0) > 0);
  reading.destroy();
  socket.destroy();
  t.equal(descriptorOf(socket), undefined);
  t.equal(unacknowledgedBytes(socket), undefined, 'nothing is known of a closed connection');
});

t.test('a server that does not listen', async (t) => {
  t.notOk(ignoreNewConnections(createServer(), true));
});
