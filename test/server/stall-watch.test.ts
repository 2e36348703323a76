import { once } from 'node:events';
import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Handler } from '../../src/server/request-receiver.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { closing, connect2, connectRaw, endless, LIMITS, request2, startListener } from './listener-harness.ts';

const IDLE_MS = timeLimit(300);

async function impatient(t: Test, handler: Handler, clientIdle = IDLE_MS) {
  const timedOut = Promise.withResolvers<void>();
  const started = await startListener(t, {
    limits: { ...LIMITS, clientIdle },
    timings: { sweep: 25 },
    handler: (req, res, expectContinue) => {
      (res as NodeJS.EventEmitter).once('close', timedOut.resolve);
      handler(req, res, expectContinue);
    },
  });
  return { ...started, timedOut: timedOut.promise };
}

const UPLOAD = 'POST / HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n';

t.test('cuts a client that stops sending its body', async (t) => {
  const { port, timedOut, listener } = await impatient(t, (req) => req.resume().on('error', () => {}));
  const client = await connectRaw(t, port);
  client.socket.write(`${UPLOAD}some`);
  t.equal(await client.closed, '');
  await timedOut;
  t.equal(listener.counts.stalled, 1);

  const session = await connect2(t, port);
  const stream = session.request({ ':method': 'POST', ':authority': 'edge.test' }, { endStream: false });
  stream.write('some');
  await closing(stream);
  t.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
  t.equal(listener.counts.stalled, 2);
});

t.test('cuts a client that stops reading', async (t) => {
  const { port, timedOut, listener } = await impatient(t, (_req, res) => void endless(res));
  const client = await connectRaw(t, port);
  client.socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n');
  client.socket.pause();
  await timedOut;
  t.equal(listener.counts.stalled, 1);

  const session = await connect2(t, port);
  const stream = session.request({ ':authority': 'edge.test' });
  await once(stream, 'response');
  const closed = closing(stream);
  while (listener.counts.stalled < 2) await sleep(10);
  stream.resume();
  await closed;
  t.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
});

t.test('does not cut a client that is slow but alive', async (t) => {
  // This process is a slow client too, if others have the CPU for a while.
  const idle = timeLimit(1200);
  const { port, listener } = await impatient(t, (req, res) => req.resume().on('end', () => res.end('taken')), idle);
  const client = await connectRaw(t, port);
  const session = await connect2(t, port);
  const stream = session.request({ ':method': 'POST', ':authority': 'edge.test' }, { endStream: false });
  client.socket.write(UPLOAD);
  for (let sent = 0; sent < 10; sent += 1) {
    await sleep(idle / 8);
    client.socket.write('x'.repeat(100));
    stream.write('x');
  }
  stream.end();
  t.match(await client.closed, /taken/);
  t.equal(Buffer.concat(await stream.toArray()).toString(), 'taken');
  t.equal(listener.counts.stalled, 0);
});

t.test('does not blame a client for a slow reader', async (t) => {
  const { port, listener } = await impatient(t, (req, res) => {
    // The handler takes nothing for longer than a client may idle, then everything.
    void sleep(IDLE_MS * 2).then(() => req.resume().on('end', () => res.end('taken')));
  });
  const client = await connectRaw(t, port);
  client.socket.write(UPLOAD + 'x'.repeat(1000));
  const session = await connect2(t, port);
  t.match(await request2(session, { ':method': 'POST' }, 'body'), { status: 200, body: 'taken' });
  t.match(await client.closed, /taken/);
  t.equal(listener.counts.stalled, 0);
});
