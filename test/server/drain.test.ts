import { once } from 'node:events';
import https from 'node:https';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { ClientRequest, ClientResponse } from '../../src/server/exchanges.ts';
import { FRAME, FrameClient } from './http2-frames.ts';
import { connect2, connectRaw, request1, request2, startListener } from './listener-harness.ts';

/** A handler that holds replies back: `ended[path]` ends the reply to a path, whose first half is out. */
function holding() {
  const held = new Map<string, ClientResponse>();
  let waiting: (() => void) | undefined;
  return {
    held,
    async arrived(path: string): Promise<ClientResponse> {
      for (;;) {
        const res = held.get(path);
        if (res) return res;
        await new Promise<void>((resolve) => {
          waiting = resolve;
        });
      }
    },
    handler: (req: ClientRequest, res: ClientResponse) => {
      held.set(req.url ?? '', res);
      if (req.url?.startsWith('/started')) (res as NodeJS.WritableStream).write('first half,');
      waiting?.();
    },
  };
}

t.test('lets transfers finish over both versions, and closes what is idle at once', async (t) => {
  const hold = holding();
  const { listener, port } = await startListener(t, { handler: hold.handler });
  const agent = new https.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const started = request1(port, { path: '/started', agent });
  const waiting = request1(port, { path: '/waiting', agent });
  const session = await connect2(t, port);
  const over2 = request2(session, { ':path': '/started-2' });
  const idle1 = await connectRaw(t, port);
  idle1.socket.write('GET /idle HTTP/1.1\r\nHost: edge.test\r\n\r\n');
  (await hold.arrived('/idle')).end('x');
  await once(idle1.socket, 'data');
  const idle2 = await connect2(t, port);
  const idle2Closed = once(idle2, 'close');
  const [first, second, third] = await Promise.all(
    ['/started', '/waiting', '/started-2'].map((path) => hold.arrived(path)),
  );

  const draining = listener.drain({ timeout: 30_000 });
  t.equal(listener.drain({ timeout: 1 }), draining, 'a second drain joins the first');
  await idle1.closed;
  await idle2Closed;
  await t.rejects(request1(port), { code: 'ECONNREFUSED' }, 'nobody new is let in');
  first?.end('second half');
  second?.end('late');
  third?.end('second half');
  t.match(await started, { status: 200, body: 'first half,second half' });
  t.match(await waiting, { status: 200, body: 'late', headers: { connection: 'close' } });
  t.match(await over2, { status: 200, body: 'first half,second half' });
  t.same(await draining, { finished: 3, cut: 0 });
  t.equal(listener.load().exchanges, 0);
});

t.test('serves the first request of a connection that was open already', async (t) => {
  const { listener, port } = await startListener(t);
  const fresh = await connectRaw(t, port);
  while (listener.load().connections === 0) await setImmediate();
  const draining = listener.drain({ timeout: 30_000 });
  fresh.socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n');
  t.match(await fresh.closed, /^HTTP\/1\.1 200 [\s\S]*connection: close/i);
  t.same(await draining, { finished: 1, cut: 0 });
});

t.test('tells HTTP/2 clients which streams it will serve', async (t) => {
  const hold = holding();
  const { listener, port } = await startListener(t, { handler: hold.handler });
  const client = await FrameClient.connect(t, port);
  client.get(1);
  const res = await hold.arrived('/');
  const draining = listener.drain({ timeout: 30_000 });
  const goaway = await client.receive(FRAME.goaway);
  t.same(
    [goaway.payload.readUInt32BE(0), goaway.payload.readUInt32BE(4)],
    [1, 0],
    'a stream after the first may be sent again',
  );
  res.end('late');
  t.equal((await client.receive(FRAME.headers)).stream, 1);
  t.same(await draining, { finished: 1, cut: 0 });
});

t.test('cuts what has not finished in time', async (t) => {
  const hold = holding();
  const { listener, port } = await startListener(t, { handler: hold.handler });
  const over1 = t.rejects(request1(port, { path: '/started' }));
  const session = await connect2(t, port);
  const over2 = t.rejects(request2(session, { ':path': '/started-2' }));
  await Promise.all([hold.arrived('/started'), hold.arrived('/started-2')]);
  const begun = Date.now();
  t.same(await listener.drain({ timeout: 200 }), { finished: 0, cut: 2 });
  t.ok(Date.now() - begun >= 190, 'not before its time');
  await Promise.all([over1, over2]);
});

t.test('counts a reply as finished only if all of it was written', async (t) => {
  const whole = Buffer.alloc(64 * 1_048_576);
  const requests = {
    'HTTP/1.1': async (t: Test, port: number) => {
      const client = await connectRaw(t, port);
      client.socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n');
      await once(client.socket, 'data');
      client.socket.pause();
      return () => client.socket.destroy();
    },
    'HTTP/2': async (t: Test, port: number) => {
      const session = await connect2(t, port);
      const stream = session.request({ ':authority': 'edge.test' }).on('error', () => {});
      await once(stream, 'response');
      return () => session.destroy();
    },
  };
  for (const [version, request] of Object.entries(requests)) {
    const slow = await startListener(t, { handler: (_req, res) => res.end(whole) });
    await request(t, slow.port);
    t.same(await slow.listener.drain({ timeout: 200 }), { finished: 0, cut: 1 }, `${version}: a client that is slow`);
    const left = await startListener(t, { handler: (_req, res) => res.end(whole) });
    const leave = await request(t, left.port);
    const draining = left.listener.drain({ timeout: 30_000 });
    leave();
    t.same(await draining, { finished: 0, cut: 0 }, `${version}: a client that leaves`);
  }
});

t.test('does not wait for clients that only connected', async (t) => {
  const { listener, port } = await startListener(t);
  const [silent, half] = await Promise.all([connectRaw(t, port), connectRaw(t, port)]);
  half.socket.write('GET / HTTP/1.1\r\nHost: ');
  t.same(await listener.drain({ timeout: 30_000 }), { finished: 0, cut: 0 });
  await Promise.all([silent.closed, half.closed]);
});
