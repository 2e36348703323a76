import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { ask1, connections, HEADERS, odd, over, start, V1 } from './balanced-listener.ts';
import { LIMITS, request1 } from './listener-harness.ts';
import { answerOn, connectPlain, connectProxied } from './proxied-connection.ts';
import { binaryHeader } from './proxy-bytes.ts';

t.test('nobody else may say who the client is', async (t) => {
  const { port, listener, trust, told, counted } = await start(t);
  trust.balancer = false;
  for (const [index, [name, header]] of HEADERS.entries()) {
    const socket = await connectPlain(t, port);
    socket.write(header);
    t.equal(await answerOn(socket), '', name);
    await counted('proxyUntrusted', index + 1);
  }
  await t.rejects(ask1(t, port, V1), 'with a ClientHello behind it');
  await counted('proxyUntrusted', HEADERS.length + 1);
  t.strictSame(Object.keys(odd(listener.counts)), ['proxyUntrusted']);
  t.strictSame([...new Set(told)], ['proxyUntrusted 127.0.0.1']);
  await connections(listener, 0);
});

t.test('what is neither a header nor TLS fails as it does without', async (t) => {
  const { port, listener, trust, counted } = await start(t);
  trust.balancer = false;
  const socket = await connectPlain(t, port);
  socket.write('PROBABLY nothing of any kind');
  t.notMatch(await answerOn(socket), /HTTP/);
  await counted('tlsErrors');
  t.strictSame(odd(listener.counts), { tlsErrors: 1 });
});

t.test('a connection of a load balancer without a header is refused', async (t) => {
  const { port, listener, counted, told } = await start(t);
  await t.rejects(request1(port));
  await counted('proxyMissing');
  const socket = await connectPlain(t, port);
  socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n');
  t.equal(await answerOn(socket), '');
  await counted('proxyMissing', 2);
  t.strictSame(odd(listener.counts), { proxyMissing: 2 });
  t.strictSame(told, ['proxyMissing 127.0.0.1', 'proxyMissing 127.0.0.1']);
});

t.test('broken headers', async (t) => {
  const { port, listener, counted } = await start(t);
  const broken = [
    'PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\n\n',
    `PROXY UNKNOWN ${'x'.repeat(1000)}`,
    'PROXY TCP4 localhost 10.0.0.1 4711 443\r\n',
    binaryHeader({ first: 0x11 }),
    binaryHeader({ family: 0x99 }),
    binaryHeader({ length: 0xffff }),
    binaryHeader({ length: 4 }),
    Buffer.concat([binaryHeader({ length: 0xffff }), Buffer.alloc(200_000)]),
  ];
  for (const [index, header] of broken.entries()) {
    const socket = await connectPlain(t, port);
    socket.write(header);
    t.equal(await answerOn(socket), '', String(index));
    await counted('proxyMalformed', index + 1);
  }
  const half = await connectPlain(t, port);
  half.end('PROXY TCP4 203.0.113.9 ');
  t.equal(await answerOn(half), '');
  await counted('proxyMalformed', broken.length + 1);
  t.strictSame(Object.keys(odd(listener.counts)), ['proxyMalformed']);
});

t.test('a header twice is no second header', async (t) => {
  const { port, listener, counted } = await start(t);
  await t.rejects(ask1(t, port, `${V1}PROXY TCP4 10.0.0.9 10.0.0.1 1 443\r\n`));
  await counted('tlsErrors');
  t.strictSame(odd(listener.counts), { tlsErrors: 1 });
});

t.test('a load balancer may try whether the port is open', async (t) => {
  const { port, listener, told, counted } = await start(t);
  const polite = await connectPlain(t, port);
  polite.end();
  await answerOn(polite);
  const rude = await connectPlain(t, port);
  await connections(listener, 1);
  rude.resetAndDestroy();
  await connections(listener, 0);
  t.strictSame(told, [], 'nothing is told of it');
  const half = await connectPlain(t, port);
  half.write(V1.slice(0, 10));
  await connections(listener, 1);
  half.resetAndDestroy();
  await connections(listener, 0);
  await counted('proxyMalformed');
  t.equal((await ask1(t, port, V1)).body, '203.0.113.9 4711 IPv4', 'and it goes on');
});

t.test('a header has its time, however it drips', async (t) => {
  const { port, listener, trust, counted } = await start(t, { timings: { handshake: 200 } });
  const silent = await connectPlain(t, port);
  t.equal(await answerOn(silent), '');
  await counted('proxyLate');
  const slow = await connectPlain(t, port);
  let sent = 0;
  const drip = setInterval(() => slow.write(V1.charAt(sent++ % 30)), 20);
  t.equal(await answerOn(slow), '');
  clearInterval(drip);
  t.ok(sent > 1, 'it was not idle');
  await counted('proxyLate', 2);
  const stopped = await connectPlain(t, port);
  stopped.write(V1);
  await answerOn(stopped);
  await counted('tlsErrors');
  t.strictSame(odd(listener.counts), { proxyLate: 2, tlsErrors: 1 }, 'and the handshake has its own');
  trust.balancer = false;
  t.equal(await answerOn(await connectPlain(t, port)), '');
  await counted('proxyLate', 3);
  await connections(listener, 0);
});

t.test('connections that have not begun count', async (t) => {
  const { port, listener, counted } = await start(t, { limits: { ...LIMITS, connections: 2 } });
  const waiting = [await connectPlain(t, port), await connectPlain(t, port)];
  await connections(listener, 2);
  const third = await connectPlain(t, port);
  t.equal(await answerOn(third), '');
  await counted('shed');
  waiting[0]?.destroy();
  await connections(listener, 1);
  t.equal((await ask1(t, port, V1)).body, '203.0.113.9 4711 IPv4');
});

t.test('a drain waits for no header, and serves one that was on its way', async (t) => {
  const { port, listener } = await start(t, { timings: { grace: 400 } });
  const silent = await connectPlain(t, port);
  const begun = await connectPlain(t, port);
  begun.write(V1.slice(0, 20));
  const late = await connectProxied(t, port, V1);
  await connections(listener, 3);
  const drained = listener.drain({ timeout: 30_000 });
  const secure = connectTls({ socket: late, servername: 'edge.test', rejectUnauthorized: false });
  const { body } = await request1(port, over(secure));
  t.equal(body, '203.0.113.9 4711 IPv4');
  t.equal(await answerOn(silent), '');
  t.equal(await answerOn(begun), '');
  t.strictSame(await drained, { finished: 1, cut: 0 });
  await connections(listener, 0);
});
