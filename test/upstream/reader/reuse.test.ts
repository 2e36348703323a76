import { once } from 'node:events';
import t from 'tap';
import { startOddServer } from '../../helpers/odd-server.ts';
import { until } from '../../helpers/until.ts';
import { madeReader, reasonOf } from './made-reader.ts';
import { TakenBody } from './taken-body.ts';

const HI = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';

t.test('connections are kept, and no more than are needed', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write(HI));
  const { get, reader } = madeReader(t, server.url);
  const all = async (count: number) => {
    const answers = await Promise.all(Array.from({ length: count }, () => get()));
    await Promise.all(answers.map(({ body }) => TakenBody.start(body).outcome));
  };
  await all(5);
  await until(() => reader.idle() === 5);
  await all(3);
  await until(() => reader.idle() === 5);
  t.strictSame([server.connects(), server.heads.length], [5, 8]);
  t.equal(server.sockets.size, 5);
});

t.test('the number of connections is limited', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi'));
  const { get } = madeReader(t, server.url, { connections: 2 });
  const bodies = [(await get()).body, (await get()).body];
  t.equal(await reasonOf(get()), 'saturated');
  bodies[0]?.destroy();
  t.equal(await reasonOf(get()), 'none', 'until one is free');
});

t.test('a kept connection that the upstream closed is no failure', async (t) => {
  const rows: [string, (server: Awaited<ReturnType<typeof startOddServer>>) => void][] = [
    ['closed', ({ sockets }) => void [...sockets][0]?.end()],
    ['reset', ({ sockets }) => void [...sockets][0]?.resetAndDestroy()],
  ];
  for (const [what, close] of rows) {
    let requests = 0;
    const server = await startOddServer(t, (socket) => {
      requests += 1;
      // It closes upon the second request, as one whose patience ended while that was on its way.
      if (requests === 2) close(server);
      else socket.write(HI);
    });
    const { get, reader } = madeReader(t, server.url);
    await TakenBody.start((await get()).body).outcome;
    await until(() => reader.idle() === 1);
    const taken = TakenBody.start((await get()).body);
    t.equal(await taken.outcome, 'end', what);
    t.equal(server.connects(), 2);
    t.equal(requests, 3);
  }
});

t.test('but only once, and only before the answer has begun', async (t) => {
  let requests = 0;
  const server = await startOddServer(t, (socket) => {
    requests += 1;
    if (requests === 1) socket.write(HI);
    else socket.resetAndDestroy();
  });
  const { get, reader } = madeReader(t, server.url);
  await TakenBody.start((await get()).body).outcome;
  await until(() => reader.idle() === 1);
  t.equal(await reasonOf(get()), 'reset');
  t.equal(requests, 3);

  let answers = 0;
  const half = await startOddServer(t, (socket) => {
    answers += 1;
    if (answers === 1) socket.write(HI);
    else socket.end('HTTP/1.1 200');
  });
  const other = madeReader(t, half.url);
  await TakenBody.start((await other.get()).body).outcome;
  await until(() => other.reader.idle() === 1);
  t.equal(await reasonOf(other.get()), 'short');
  t.equal(answers, 2);
});

t.test('an idle connection that the upstream closes is forgotten', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write(HI));
  const { get, reader } = madeReader(t, server.url);
  await TakenBody.start((await get()).body).outcome;
  await until(() => reader.idle() === 1);
  for (const socket of server.sockets) socket.end();
  await until(() => reader.idle() === 0 && server.sockets.size === 0);
  await TakenBody.start((await get()).body).outcome;
  t.strictSame([server.connects(), server.heads.length], [2, 2]);
});

t.test('an idle connection is closed before the upstream does', async (t) => {
  const server = await startOddServer(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 0\r\n\r\n'),
  );
  const { get, reader } = madeReader(t, server.url);
  await TakenBody.start((await get()).body).outcome;
  await until(() => reader.idle() === 1);
  const [socket] = server.sockets;
  const started = performance.now();
  if (socket) await once(socket, 'close');
  t.ok(performance.now() - started > 500, 'a second before it');
  t.equal(reader.idle(), 0);
});

t.test('a reader that is destroyed keeps nothing', async (t) => {
  const server = await startOddServer(t, (socket, head) =>
    socket.write(head.includes('/long') ? `${HI.replace('Length: 2', 'Length: 9')}` : HI),
  );
  const { get, reader, pool } = madeReader(t, server.url);
  await TakenBody.start((await get()).body).outcome;
  const taken = TakenBody.start((await get('/long')).body);
  await reader.destroy();
  t.equal(await taken.outcome, 'reset');
  await until(() => server.sockets.size === 0);
  t.equal(await reasonOf(get()), 'reset');
  t.equal(pool.inUseBytes, 0);
});
