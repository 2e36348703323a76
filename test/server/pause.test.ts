import { once } from 'node:events';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { LIMITS, request1, startListener } from './listener-harness.ts';

/** A connection that has asked for a path. */
async function connectAndAsk(t: Test, port: number, path: string): Promise<tls.TLSSocket> {
  const socket = tls.connect({ port, host: '127.0.0.1', servername: 'edge.test', rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
  return socket;
}

t.test('while paused, idle connections and new ones are closed, and requests end as usual', async (t) => {
  const held = Promise.withResolvers<{ end: (body: string) => unknown }>();
  const { listener, port } = await startListener(t, {
    handler: (req, res) => (req.url === '/slow' ? held.resolve(res) : res.end('ok')),
  });
  const idle = await connectAndAsk(t, port, '/');
  await once(idle, 'data');
  const busy = await connectAndAsk(t, port, '/slow');
  const response = await held.promise;
  const closed = once(idle, 'close');
  listener.pause(true);
  await closed;
  await t.rejects(request1(port), 'a new connection');
  t.equal(listener.counts.shed, 1);
  listener.update({ ...LIMITS, connections: 50 });
  await t.rejects(request1(port), 'a reload of the limits does not end the pause');
  response.end('late');
  const [answer] = await once(busy, 'data');
  t.match(answer.toString(), /200 OK/);
  listener.pause(false);
  t.match(await request1(port), { status: 200 });
});
