import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import t, { type Test } from 'tap';
import { createAdminServer } from '../../src/server/admin-listener.ts';
import { closeNow, listenOn } from '../../src/server/bound-address.ts';
import type { ClientResponse } from '../../src/server/exchanges.ts';
import { RedirectListener } from '../../src/server/redirect-listener.ts';
import type { Handler } from '../../src/server/request-receiver.ts';
import { until } from '../helpers/until.ts';
import { FRAME, FrameClient } from './http2-frames.ts';
import {
  closing,
  connect2,
  connectRaw,
  type Harness,
  request1,
  request2,
  sendRaw,
  startListener,
} from './listener-harness.ts';

// Rule 12: what goes wrong in one exchange ends that exchange. An exception that escaped would fail these tests by itself.

const BUG = new Error('a bug');
const bug = (_done?: unknown): never => {
  throw BUG;
};

/** The listener still serves both versions, and holds nothing of what went wrong. */
async function isUnharmed(t: Test, { port, listener }: Harness, name: string, path = '/well'): Promise<void> {
  t.match(await request1(port, { path }), { status: 200 }, `${name}: HTTP/1.1 is served`);
  const session = await connect2(t, port);
  t.match(await request2(session, { ':path': path }), { status: 200 }, `${name}: HTTP/2 is served`);
  session.close();
  await until(() => listener.load().exchanges === 0, { what: () => `${name}: ${listener.load().exchanges} exchanges` });
}

const headOf = (headers: string) => `HEAD /v2/ HTTP/1.1\r\n${headers}\r\n\r\n`;
const HOST = 'Host: edge.test';

const REFUSED_HEADS: [name: string, request: string, status: number][] = [
  ['an Upgrade', headOf(`${HOST}\r\nUpgrade: x`), 400],
  ['an Upgrade that Connection names', headOf(`${HOST}\r\nConnection: Upgrade\r\nUpgrade: h2c`), 400],
  ['no Host', headOf('X: y'), 400],
  ['two Hosts', headOf(`${HOST}\r\nHost: other.test`), 400],
  ['an expectation', headOf(`${HOST}\r\nExpect: x`), 417],
  ['chunks in HTTP/1.0', `HEAD /v2/ HTTP/1.0\r\n${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
  ['an unknown coding', headOf(`${HOST}\r\nTransfer-Encoding: gzip, chunked`), 400],
];

t.test('the refusal of a HEAD has no body and ends its connection only', async (t) => {
  const harness = await startListener(t);
  for (const [name, request, status] of REFUSED_HEADS) {
    const reply = await sendRaw(t, harness.port, request);
    t.match(reply, new RegExp(`^HTTP/1\\.1 ${status} `), name);
    t.match(reply, /\r\n\r\n$/, `${name}: nothing follows the head`);
    t.match(reply, /Content-Length: [1-9]/i, `${name}: the length is that of a GET's answer`);
  }
  await isUnharmed(t, harness, 'after all');
  t.same(harness.errors, []);
});

const FIELDS: [string, string][] = [
  [':method', 'HEAD'],
  [':scheme', 'https'],
  [':path', '/v2/'],
];
const REFUSED_STREAMS: [name: string, fields: [string, string][]][] = [
  ['no authority', FIELDS],
  ['two authorities', [...FIELDS, [':authority', 'edge.test'], ['host', 'other.test']]],
  ['an expectation', [...FIELDS, [':authority', 'edge.test'], ['expect', 'x']]],
  [
    'a CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'edge.test'],
    ],
  ],
];

t.test('a refused stream ends without its session', async (t) => {
  const harness = await startListener(t);
  for (const [name, fields] of REFUSED_STREAMS) {
    const client = await FrameClient.connect(t, harness.port);
    client.request(1, fields);
    t.match(await client.receive(FRAME.headers, FRAME.reset), { stream: 1 }, name);
    client.get(3);
    let frame = await client.receive(FRAME.headers);
    if (frame.stream === 1) frame = await client.receive(FRAME.headers);
    t.equal(frame.stream, 3, `${name}: the next stream is served`);
    client.destroy();
  }
  await isUnharmed(t, harness, 'after all');
  t.same(harness.errors, []);
});

const well = (res: ClientResponse) => (res as http.ServerResponse).end('well');
const FAULTS: [name: string, fault: (res: http.ServerResponse) => unknown][] = [
  ['at once', bug],
  ['later', async () => bug()],
  ['after its head', (res) => bug(void res.writeHead(200).write('half'))],
  ['later, after its head', async (res) => bug(void res.writeHead(200).write('half'))],
  ['after its end', (res) => bug(void res.end('whole'))],
  ['with a body where none may follow', (res) => void res.writeHead(204).end('body')],
  ['with what is no header', (res) => void res.writeHead(200, { x: 'a\nb' }).end()],
  ['by a second head', (res) => void res.writeHead(200).writeHead(200).end()],
  ['by an event', (res) => void res.emit('error', BUG)],
  ['by writing after its end', (res) => void res.end('whole').write('more')],
];

t.test('a handler that fails ends its exchange only', async (t) => {
  for (const [name, fault] of FAULTS) {
    const handler: Handler = (req, res) => (req.url === '/well' ? well(res) : fault(res as http.ServerResponse));
    const harness = await startListener(t, { handler });
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'QUERY']) {
      await request1(harness.port, { path: '/bug', method }).catch(() => undefined);
      const session = await connect2(t, harness.port);
      await request2(session, { ':path': '/bug', ':method': method }).catch(() => undefined);
      t.match(
        await request2(session, { ':path': '/well' }),
        { status: 200 },
        `${name}, ${method}: its session goes on`,
      );
      session.destroy();
    }
    await isUnharmed(t, harness, name);
  }
});

t.test('a failure before the head is answered with 500, and reported', async (t) => {
  for (const fault of [bug, async () => bug()]) {
    const harness = await startListener(t, { handler: fault as Handler });
    t.match(await request1(harness.port), { status: 500, body: /internal error/ });
    t.match(await request1(harness.port, { method: 'HEAD' }), { status: 500, body: '' });
    t.match(await request2(await connect2(t, harness.port), { ':method': 'HEAD' }), { status: 500, body: '' });
    t.same(harness.errors, [BUG, BUG, BUG]);
  }
});

t.test('pipelined replies close with their connection, whether it was their turn or not', async (t) => {
  const begun: string[] = [];
  const closed: string[] = [];
  const harness = await startListener(t, {
    handler: (req, res) => {
      if (req.url === '/well') return void well(res);
      begun.push(String(req.url));
      res.once('close', () => closed.push(String(req.url)));
    },
  });
  const client = await connectRaw(t, harness.port);
  client.socket.write(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n\r\n`).join(''));
  await until(() => begun.length === 3, { what: () => 'three requests' });
  client.socket.destroy();
  await until(() => closed.length === 3, { what: () => `every reply to close: ${closed}` });
  t.same(closed.sort(), ['/1', '/2', '/3']);
  await isUnharmed(t, harness, 'after them');
});

t.test('the replies before a failed one in a pipeline arrive', async (t) => {
  const harness = await startListener(t, {
    handler: (req, res) => {
      if (req.url === '/bug') bug(void (res as http.ServerResponse).writeHead(200).write('half'));
      // It is answered after the other one has failed.
      setImmediate(() => well(res));
    },
  });
  const client = await connectRaw(t, harness.port);
  const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n\r\n`;
  client.socket.write(get('/well') + get('/bug'));
  t.match(await client.closed, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nwell$/);
  await isUnharmed(t, harness, 'after it');
});

t.test('a listener that reports of clients fails with its exchange only', async (t) => {
  let broken = true;
  const check = () => (broken ? bug() : false);
  const proxies = { isProxy: check, onRefused: bug };
  const harness = await startListener(t, { proxies });
  const client = net.connect(harness.port, '127.0.0.1').on('error', () => {});
  await closing(client);
  t.same(harness.errors, [BUG], 'trust that cannot be asked');
  broken = false;
  const claiming = net.connect(harness.port, '127.0.0.1').on('error', () => {});
  claiming.write('PROXY UNKNOWN\r\n');
  await closing(claiming);
  t.same(harness.errors, [BUG, BUG], 'a refusal that cannot be reported');
  await isUnharmed(t, harness, 'after both');
});

t.test('a redirect that fails ends its exchange only', async (t) => {
  const errors: unknown[] = [];
  let hostnames: () => string[] = bug;
  const listener = new RedirectListener({
    address: '127.0.0.1:0',
    hostnames: () => hostnames(),
    httpsPort: () => 443,
    onError: (error) => errors.push(error),
  });
  const { port } = await listener.listen();
  t.teardown(() => listener.close());
  t.match(await plain(port), { status: 500 });
  t.match(await plain(port, { method: 'HEAD' }), { status: 500, body: '' });
  t.same(errors, [BUG, BUG]);
  hostnames = () => ['127.0.0.1'];
  t.match(await plain(port), { status: 308 });
  t.match(await plain(port, { method: 'HEAD', headers: { host: 'other' } }), { status: 421, body: '' });
});

t.test('the admin listener answers 500 for a handler that fails', async (t) => {
  for (const fault of [bug, async () => bug()]) {
    const errors: unknown[] = [];
    const server = createAdminServer(
      (req, res) => (req.url === '/well' ? void res.end('well') : fault()),
      (error) => errors.push(error),
    );
    const { port } = await listenOn(server, '127.0.0.1:0', bug);
    t.teardown(() => closeNow(server));
    t.match(await plain(port), { status: 500, body: /internal error/ });
    t.match(await plain(port, { method: 'HEAD' }), { status: 500, body: '' });
    t.match(await plain(port, { path: '/well' }), { status: 200, body: 'well' });
    t.same(errors, [BUG, BUG]);
  }
});

async function plain(port: number, options: http.RequestOptions = {}) {
  const req = http.request({ port, host: '127.0.0.1', agent: false, ...options }).end();
  const [res] = await once(req, 'response');
  return { status: res.statusCode, body: Buffer.concat(await res.toArray()).toString() };
}
