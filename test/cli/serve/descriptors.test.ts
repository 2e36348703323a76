import { connect, type Socket } from 'node:net';
import t from 'tap';
import { until } from '../../helpers/until.ts';
import { Fifo, ServeProcess, stopped } from './serve-process.ts';

t.test('/readyz is answered while clients hold all descriptors', async (t) => {
  const fifo = await Fifo.make(t);
  const serve = await ServeProcess.start(t, { stdout: fifo.writeEnd, shell: 'ulimit -n 160; exec "$@"' });
  const sockets: Socket[] = [];
  const flood = () => {
    for (let index = 0; index < 300; index += 1)
      sockets.push(connect(serve.httpsPort, '127.0.0.1').on('error', () => undefined));
  };
  t.teardown(() => sockets.forEach((socket) => void socket.destroy()));
  flood();
  await fifo.readUntil((text) => text.includes('no descriptors are left'));
  for (let round = 0; round < 30; round += 1) t.equal(await serve.ready(), 200);
  for (const socket of sockets.splice(0)) socket.destroy();
  await until(() => serve.requests(20).catch(() => false), { every: 100, what: () => 'clients to be served again' });
  flood();
  for (let round = 0; round < 30; round += 1) t.equal(await serve.ready(), 200);
  for (const socket of sockets.splice(0)) socket.destroy();
  t.equal((await stopped(serve)).status, 0);
  await fifo.readUntil((text) => text.includes('"stopped"'));
  t.equal(fifo.text.match(/no descriptors are left/g)?.length, 1, 'it is logged once');
});

t.test('/readyz is answered while another client floods every listener with idle connections', async (t) => {
  const fifo = await Fifo.make(t);
  const serve = await ServeProcess.start(t, { stdout: fifo.writeEnd, shell: 'ulimit -n 160; exec "$@"' });
  const sockets = new Set<Socket>();
  let over = false;
  // Whatever is closed comes back.
  const flood = (port: number) => {
    if (over) return;
    const socket = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' }).on('error', () => undefined);
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      setTimeout(flood, 100, port).unref();
    });
  };
  const end = () => {
    over = true;
    for (const socket of sockets) socket.destroy();
  };
  t.teardown(end);
  for (const port of serve.ports) for (let index = 0; index < 300; index += 1) flood(port);
  await fifo.readUntil((text) => text.includes('no descriptors are left'));
  const answers: unknown[] = [];
  for (let round = 0; round < 20; round += 1)
    answers.push(await serve.ready().catch((error: NodeJS.ErrnoException) => error.code ?? error.message));
  t.same(answers, Array(20).fill(200));
  end();
  t.equal((await stopped(serve)).status, 0);
});
