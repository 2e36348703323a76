import { getEventListeners } from 'node:events';
import t from 'tap';
import { startOddServer } from '../../helpers/odd-server.ts';
import { until } from '../../helpers/until.ts';
import { madeReader } from './made-reader.ts';
import { TakenBody } from './taken-body.ts';

t.test('an abort before the head closes the connection at once', async (t) => {
  for (const text of ['', 'HTTP/1.1 200 OK\r\nContent-Le']) {
    const server = await startOddServer(t, (socket) => socket.write(text));
    const { get, reader } = madeReader(t, server.url);
    const controller = new AbortController();
    const reason = new Error('the client has gone');
    const answer = get('/x', controller.signal);
    await until(() => server.heads.length === 1);
    controller.abort(reason);
    t.equal(await answer.catch((error: unknown) => error), reason);
    await until(() => server.sockets.size === 0);
    t.equal(reader.idle(), 0);
    t.equal(server.connects(), 1, 'and it is not asked again');
    t.equal(getEventListeners(controller.signal, 'abort').length, 0);
  }
});

t.test('the same on a kept connection, and before there is one', async (t) => {
  let requests = 0;
  const server = await startOddServer(t, (socket) => {
    requests += 1;
    if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const { get, reader } = madeReader(t, server.url);
  await TakenBody.start((await get()).body).outcome;
  await until(() => reader.idle() === 1);
  const controller = new AbortController();
  const answer = get('/x', controller.signal);
  await until(() => requests === 2);
  controller.abort(new Error('late'));
  await t.rejects(answer, /late/);
  await until(() => server.sockets.size === 0);
  await t.rejects(get('/x', AbortSignal.abort(new Error('too late'))), /too late/);
  t.equal(server.connects(), 1);
  const connecting = new AbortController();
  const early = get('/x', connecting.signal);
  connecting.abort(new Error('changed my mind'));
  await t.rejects(early, /changed my mind/);
  t.equal(requests, 2);
});

t.test('an abort after the head does nothing', async (t) => {
  const server = await startOddServer(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'),
  );
  const { get } = madeReader(t, server.url);
  const controller = new AbortController();
  const { body } = await get('/x', controller.signal);
  t.equal(getEventListeners(controller.signal, 'abort').length, 0);
  controller.abort();
  const taken = TakenBody.start(body);
  for (const socket of server.sockets) socket.write('world');
  t.equal(await taken.outcome, 'end');
  t.equal(taken.bytes.toString(), 'helloworld');
});
