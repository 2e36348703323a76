import http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { FLOOD_BOUNDS } from '../../src/server/flood-guard.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { FRAME, FrameClient } from './http2-frames.ts';
import { closing, connect2, LIMITS, request2, startListener } from './listener-harness.ts';

t.test('ends a session that opens streams only to reset them', async (t) => {
  let handled = 0;
  const { listener, port } = await startListener(t, {
    handler: () => {
      handled += 1;
    },
  });
  const session = await connect2(t, port);
  const closed = closing(session);
  for (let opened = 0; opened < 2_000 && !session.destroyed; opened += 1) {
    const stream = session.request({ ':authority': 'edge.test' });
    stream.on('error', () => {});
    stream.close(http2.constants.NGHTTP2_CANCEL);
    if (opened % 50 === 0) await sleep(1);
  }
  await closed;
  t.ok(handled < 600, `${handled} of 2000 reached the handler`);
  t.equal(listener.load().exchanges, 0);
});

t.test('ends a session that makes the server reset its streams', async (t) => {
  const { listener, port } = await startListener(t, {
    handler: (_req, res) => {
      if ('stream' in res) res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    },
  });
  const session = await connect2(t, port);
  const closed = closing(session);
  let opened = 0;
  const next = () => {
    if (session.closed || session.destroyed) return;
    opened += 1;
    const stream = session.request({ ':authority': 'edge.test' });
    stream.on('error', () => {});
    stream.once('close', next);
  };
  const began = performance.now();
  next();
  await closed;
  t.equal(listener.counts.floods, 1);
  const { burst, perSecond } = FLOOD_BOUNDS.resets;
  const allowed = burst + (perSecond * (performance.now() - began)) / 1000;
  t.ok(opened < allowed + 100, `after ${opened} streams, of ${allowed}`);
});

t.test('ends a session that floods with PING or SETTINGS', async (t) => {
  for (const [name, type, payload] of [
    ['ping', FRAME.ping, Buffer.alloc(8)],
    ['settings', FRAME.settings, Buffer.alloc(0)],
  ] as const) {
    const { listener, port } = await startListener(t);
    const client = await FrameClient.connect(t, port);
    let open = true;
    const closed = client.closed.then(() => {
      open = false;
    });
    // In portions: nghttp2 itself ends a session for which a thousand answers wait.
    for (let sent = 0; sent < 3_000 && open; sent += 1) {
      client.send(type, 0, 0, payload);
      if (sent % 100 === 99) await sleep(5);
    }
    await closed;
    t.equal(listener.counts.floods, 1, name);
  }
});

t.test('closes a session that idles, pings or not', async (t) => {
  const { port } = await startListener(t, { limits: { ...LIMITS, keepAlive: timeLimit(200) } });
  const session = await connect2(t, port);
  const closed = closing(session);
  // The listener has seen the request before its client has seen the reply.
  const used = performance.now();
  t.match(await request2(session), { status: 200 });
  const pings = setInterval(() => session.destroyed || session.ping(() => {}), 40);
  await closed;
  clearInterval(pings);
  t.ok(performance.now() - used >= timeLimit(180), 'but not before its time');
});

t.test('keeps a session whose stream is under way', async (t) => {
  const { port } = await startListener(t, {
    limits: { ...LIMITS, keepAlive: timeLimit(50) },
    handler: (_req, res) => void setTimeout(() => res.end('late'), timeLimit(300)),
  });
  t.match(await request2(await connect2(t, port)), { status: 200, body: 'late' });
});
