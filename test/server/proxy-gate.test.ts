import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import t from 'tap';
import { ProxyGate } from '../../src/server/proxy-gate.ts';
import { until } from '../helpers/until.ts';
import { ask1, HEADERS, odd, over, session2, start, V1, V6 } from './balanced-listener.ts';
import { connect2, request1, request2 } from './listener-harness.ts';
import { makeCertificate } from './make-certificate.ts';
import { connectProxied } from './proxied-connection.ts';

t.test('the client is who the header names, in both versions of HTTP', async (t) => {
  const { port, listener, told } = await start(t);
  for (const [name, header, client] of HEADERS) {
    t.equal((await ask1(t, port, header)).body, client, `${name}, HTTP/1.1`);
    t.equal((await request2(await session2(t, port, header))).body, client, `${name}, HTTP/2`);
  }
  t.strictSame(odd(listener.counts), {});
  t.strictSame(told, []);
});

t.test('in single bytes, up to the end of the ClientHello', async (t) => {
  const { port, listener } = await start(t);
  for (const [name, header, client] of HEADERS.filter(([, header]) => header.length < 300)) {
    t.equal((await ask1(t, port, header, { inBytes: true })).body, client, `${name}, HTTP/1.1`);
    t.equal((await request2(await session2(t, port, header, true))).body, client, `${name}, HTTP/2`);
  }
  t.strictSame(odd(listener.counts), {});
});

t.test('every request of a connection has its client, and no other connection has', async (t) => {
  const { port } = await start(t);
  const one = await session2(t, port, V1);
  const other = await session2(t, port, V6);
  const bodies = await Promise.all([one, other, one, other].map(async (session) => (await request2(session)).body));
  const [first, second] = ['203.0.113.9 4711 IPv4', '2001:db8::7 4711 IPv6'];
  t.strictSame(bodies, [first, second, first, second]);
});

t.test('certificates are chosen by name, protocols by ALPN', async (t) => {
  const certificates = [await makeCertificate(['edge.test']), await makeCertificate(['other.test'])];
  const { port } = await start(t, { certificates });
  t.match(await ask1(t, port, V1, { servername: 'other.test' }), { certificate: 'other.test', alpn: 'http/1.1' });
  t.match(await ask1(t, port, V1, { inBytes: true }), { certificate: 'edge.test', alpn: 'http/1.1' });
  const session = await session2(t, port, V1);
  t.equal(session.alpnProtocol, 'h2');
});

t.test('large bodies both ways', async (t) => {
  const { port } = await start(t, { handler: (req, res) => req.pipe(res as NodeJS.WritableStream) });
  const body = 'breakwater '.repeat(1_000_000);
  const socket = await connectProxied(t, port, V1);
  const secure = connectTls({ socket, servername: 'edge.test', rejectUnauthorized: false });
  const options = { method: 'POST', ...over(secure) };
  t.ok((await request1(port, options, body)).body === body, 'HTTP/1.1');
  const session = await session2(t, port, V1);
  t.ok((await request2(session, { ':method': 'POST' }, body)).body === body, 'HTTP/2');
});

t.test('an address outside trustedProxies is the client itself', async (t) => {
  const { port, listener, trust, told } = await start(t);
  trust.balancer = false;
  t.match((await request1(port)).body, /^127\.0\.0\.1 \d+ IPv4$/);
  t.match((await request2(await connect2(t, port))).body, /^127\.0\.0\.1 \d+ IPv4$/);
  t.match((await ask1(t, port, '', { inBytes: true })).body, /^127\.0\.0\.1 \d+ IPv4$/, 'in single bytes');
  t.strictSame(odd(listener.counts), {});
  t.strictSame(told, []);
});

t.test('trust is asked for at each connection', async (t) => {
  const { port, trust } = await start(t);
  t.equal((await ask1(t, port, V1)).body, '203.0.113.9 4711 IPv4');
  trust.balancer = false;
  t.match((await request1(port)).body, /^127\.0\.0\.1 /);
  await t.rejects(ask1(t, port, V1));
  trust.balancer = true;
  await t.rejects(request1(port));
});

t.test('only what came with the header passes through JavaScript on its way to TLS', async (t) => {
  const { key, cert } = await makeCertificate(['edge.test']);
  const server = createTlsServer({ key, cert });
  const gate = new ProxyGate(server, {
    isProxy: () => true,
    onRefused: () => t.fail(),
    onError: (error) => t.fail(String(error)),
    required: true,
    timeout: 10_000,
  });
  let read = 0;
  let written = 0;
  server.on('connection', (socket: Socket) => {
    const { push } = socket;
    socket.push = (chunk, encoding) => {
      read += (chunk as Buffer | null)?.length ?? 0;
      return push.call(socket, chunk, encoding);
    };
    socket.write = () => {
      written += 1;
      return true;
    };
  });
  server.on('secureConnection', (socket) => socket.pipe(socket));
  server.listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = await connectProxied(t, port, V1);
  const secure = connectTls({ socket, rejectUnauthorized: false });
  secure.end(Buffer.alloc(1_000_000, 'x'));
  t.equal((await secure.toArray()).join('').length, 1_000_000);
  t.ok(read >= V1.length && read < 3000, `${read} bytes: header and ClientHello`);
  t.equal(written, 0);
  await until(() => gate.size === 0, { what: () => 'nothing to be remembered of a closed connection' });
});
