import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { madeReader, reasonOf } from './made-reader.ts';

t.test('nobody listens', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  t.equal(await reasonOf(madeReader(t, `http://127.0.0.1:${port}`).get()), 'connect');
  t.equal(await reasonOf(madeReader(t, `https://127.0.0.1:${port}`).get()), 'connect');
  const both = new Resolver(async () => [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
  t.equal(await reasonOf(madeReader(t, `http://two.example:${port}`, { resolver: both }).get()), 'connect');
});

t.test('a name that is none', async (t) => {
  const resolver = new Resolver(async () => {
    throw Object.assign(new Error('getaddrinfo ENOTFOUND none.example'), { code: 'ENOTFOUND' });
  });
  t.equal(await reasonOf(madeReader(t, 'http://none.example:1', { resolver }).get()), 'dns');
});

t.test('the next address is tried', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
  const resolver = new Resolver(async () => [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ]);
  t.equal(await reasonOf(madeReader(t, `http://two.example:${server.port}`, { resolver }).get()), 'none');
  t.match(server.heads[0], `host: two.example:${server.port}`);
});

t.test('a connection that is not made in time', async (t) => {
  const silent = await startOddServer(t, () => undefined);
  const { get } = madeReader(t, `https://127.0.0.1:${silent.port}`, { connectMs: 100 });
  const started = performance.now();
  t.equal(await reasonOf(get()), 'connect', 'TLS counts');
  t.ok(performance.now() - started < timeLimit(2000));
  // The server may hear of the connection after the client has given it up.
  await until(() => silent.connects() > 0 && silent.sockets.size === 0);
  t.equal(silent.connects(), 1);

  const resolver = new Resolver(() => new Promise(() => undefined));
  t.equal(
    await reasonOf(madeReader(t, 'http://slow.example', { connectMs: 100, resolver }).get()),
    'connect',
    'DNS counts',
  );
});

t.test('the time to connect does not end an answer that takes longer', async (t) => {
  const server = await startOddServer(t, (socket) =>
    setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 200),
  );
  t.equal(await reasonOf(madeReader(t, server.url, { connectMs: 100 }).get()), 'none');
});
