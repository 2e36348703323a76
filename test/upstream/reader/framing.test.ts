import t from 'tap';
import { startOddServer } from '../../helpers/odd-server.ts';
import { until } from '../../helpers/until.ts';
import { madeReader, reasonOf } from './made-reader.ts';
import { TakenBody } from './taken-body.ts';

const OK = 'HTTP/1.1 200 OK\r\n';

t.test('answers that are read, and whether their connection is kept', async (t) => {
  const rows: [string, string, { status?: number; body: string; kept: boolean }][] = [
    ['a body with its head', `${OK}Content-Length: 5\r\n\r\nhello`, { body: 'hello', kept: true }],
    ['no body', `${OK}Content-Length: 0\r\n\r\n`, { body: '', kept: true }],
    ['a 404', 'HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}', { status: 404, body: '{}', kept: true }],
    ['a 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', { status: 304, body: '', kept: true }],
    ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', { status: 204, body: '', kept: true }],
    ['close', `${OK}Connection: close\r\nContent-Length: 5\r\n\r\nhello`, { body: 'hello', kept: false }],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', { body: 'hello', kept: false }],
    ['one second', `${OK}Keep-Alive: timeout=1\r\nContent-Length: 1\r\n\r\nh`, { body: 'h', kept: false }],
    ['too much', `${OK}Content-Length: 5\r\n\r\nhello!`, { body: 'hello', kept: false }],
    ['too much of nothing', `${OK}Content-Length: 0\r\n\r\n!`, { body: '', kept: false }],
    ['a body after 304', 'HTTP/1.1 304 Not Modified\r\n\r\nhello', { status: 304, body: '', kept: false }],
    [
      'interim answers',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`,
      { body: 'hi', kept: true },
    ],
  ];
  for (const [what, text, { status = 200, body, kept }] of rows) {
    const server = await startOddServer(t, (socket) => socket.write(text, 'latin1'));
    const { reader, pool, get } = madeReader(t, server.url);
    const answer = await get();
    const taken = TakenBody.start(answer.body);
    t.equal(await taken.outcome, 'end', what);
    t.strictSame([answer.status, taken.bytes.toString()], [status, body], what);
    await until(() => (kept ? reader.idle() === 1 : server.sockets.size === 0), {
      // Less than an idle connection is kept for.
      timeout: 2000,
      what: () => `${what}: kept ${kept}`,
    });
    t.equal(reader.idle(), kept ? 1 : 0, what);
    t.equal(pool.inUseBytes, 0, `${what}: nothing in use`);
  }
});

t.test('the same in pieces of one byte', async (t) => {
  const text = `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 12\r\n\r\nhello, world`;
  const server = await startOddServer(t, async (socket) => {
    socket.setNoDelay(true);
    for (const byte of text) await new Promise<void>((resolve) => socket.write(byte, () => setImmediate(resolve)));
  });
  const { get, reader } = madeReader(t, server.url);
  for (let turn = 0; turn < 3; turn += 1) {
    const taken = TakenBody.start((await get()).body);
    t.equal(await taken.outcome, 'end');
    t.equal(taken.bytes.toString(), 'hello, world');
    await until(() => reader.idle() === 1);
  }
  t.strictSame([server.connects(), server.heads.length], [1, 3]);
});

t.test('answers that another client must ask for again', async (t) => {
  const rows: [string, string][] = [
    ['chunked', `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
    ['no length', `${OK}\r\nhello`],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
    ['102', `HTTP/1.1 102 Processing\r\n\r\n${OK}Content-Length: 0\r\n\r\n`],
    ['interim answers without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)],
  ];
  for (const [what, text] of rows) {
    const server = await startOddServer(t, (socket) => socket.write(text));
    const { reader, pool } = madeReader(t, server.url);
    t.equal(await reader.get({ path: '/', headers: {}, signal: new AbortController().signal }), 'unreadable', what);
    await until(() => server.sockets.size === 0, { what: () => `${what}: the connection is closed` });
    t.equal(pool.inUseBytes, 0);
  }
});

t.test('bytes that nobody asked for end an idle connection', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write(`${OK}Content-Length: 2\r\n\r\nhi`));
  const { reader, get } = madeReader(t, server.url);
  await TakenBody.start((await get()).body).outcome;
  await until(() => reader.idle() === 1);
  const [socket] = server.sockets;
  socket?.write(`${OK}Content-Length: 4\r\n\r\nevil`);
  await until(() => reader.idle() === 0);
  const taken = TakenBody.start((await get()).body);
  await taken.outcome;
  t.equal(taken.bytes.toString(), 'hi', 'they answer no later request');
  t.equal(server.connects(), 2);
});

t.test('bytes right behind a body answer no later request', async (t) => {
  // More than one read from the kernel, so that they come after the body's end was told.
  const surplus = `${OK}Content-Length: 4\r\n\r\nevil`.padEnd(100_000, ' ');
  const server = await startOddServer(t, (socket) =>
    socket.write(`${OK}Content-Length: 300000\r\n\r\n${'x'.repeat(300_000)}${surplus}`),
  );
  const { reader, get } = madeReader(t, server.url);
  for (let turn = 1; turn <= 3; turn += 1) {
    const taken = TakenBody.start((await get()).body);
    t.equal(await taken.outcome, 'end');
    t.equal(taken.length, 300_000);
  }
  await until(() => server.sockets.size === 0);
  t.equal(reader.idle(), 0);
});

t.test('nor do bytes that come in a read of their own, while the next request is being made', async (t) => {
  const surplus = `${OK}Content-Length: 4\r\n\r\nevil`;
  // The first bytes of a body after a pause are read into 4096.
  const server = await startOddServer(t, (socket) => socket.write(`${OK}Content-Length: 4096\r\n\r\n`));
  const { get } = madeReader(t, server.url);
  for (let turn = 1; turn <= 3; turn += 1) {
    const { body } = await get();
    const taken = TakenBody.start(body);
    for (const socket of server.sockets) socket.write('x'.repeat(4096) + surplus);
    await taken.outcome;
    t.equal(taken.bytes.toString(), 'x'.repeat(4096));
    t.equal(server.connects(), turn);
  }
});

t.test('what is malformed or cut off before the body', async (t) => {
  const rows: [string, string, string][] = [
    ['malformed', `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 'malformed'],
    ['both framings', `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, 'malformed'],
    ['no HTTP', '220 mail.example.io ESMTP\r\n', 'malformed'],
    ['no end', `${OK}x: ${'a'.repeat(70_000)}`, 'malformed'],
    ['half a head', OK, 'short'],
    ['nothing', '', 'short'],
  ];
  for (const [what, text, reason] of rows) {
    const server = await startOddServer(t, (socket) => (reason === 'short' ? socket.end(text) : socket.write(text)));
    const { get } = madeReader(t, server.url);
    t.equal(await reasonOf(get()), reason, what);
    await until(() => server.sockets.size === 0, { what: () => `${what}: the connection is closed` });
    t.equal(server.connects(), 1, `${what}: a new connection is not tried twice`);
  }
});

t.test('a reset before the head', async (t) => {
  const server = await startOddServer(t, (socket) => socket.resetAndDestroy());
  t.equal(await reasonOf(madeReader(t, server.url).get()), 'reset');
});

t.test('what is sent', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write(`${OK}Content-Length: 0\r\n\r\n`));
  const { reader } = madeReader(t, server.url);
  const signal = new AbortController().signal;
  await reader.get({ path: '/v2/a/blobs/b?c', headers: { range: 'bytes=1-' }, signal });
  t.strictSame(server.heads, [
    `GET /v2/a/blobs/b?c HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nconnection: keep-alive\r\nrange: bytes=1-`,
  ]);
  await t.rejects(reader.get({ path: '/a b', headers: {}, signal }), TypeError);
  t.equal(server.heads.length, 1);
});
