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
