import { once } from 'node:events';
import http from 'node:http';
import net, { type Socket } from 'node:net';
import { Readable, type Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createAdminServer } from '../../src/server/admin-listener.ts';
import { closeNow, listenOn } from '../../src/server/bound-address.ts';
import type { ClientRequest, ClientResponse } from '../../src/server/exchanges.ts';
import { RedirectListener } from '../../src/server/redirect-listener.ts';
import { closing, connectRaw, LIMITS, startListener } from './listener-harness.ts';
import { SMUGGLING } from './smuggling.ts';

// What holds on the wire of every listener, whoever writes the reply: Node's parser, the receiver or a handler.

const HOST = 'Host: edge.test\r\n';
const GET = `GET /first HTTP/1.1\r\n${HOST}\r\n`;

interface Wire {
  connect: () => Promise<Socket>;
  /** Requests that reached a handler. */
  seen: string[];
  /** The listener closes each connection after one reply. */
  closes: boolean;
}

const LISTENERS: Record<string, (t: Test) => Promise<Wire>> = {
  https: async (t) => {
    const seen: string[] = [];
    const { port } = await startListener(t, { handler: (req, res) => answer(seen, req as never, res as never) });
    return { seen, closes: false, connect: async () => (await connectRaw(t, port)).socket };
  },
  plain: async (t) => {
    const seen: string[] = [];
    const handler = (req: unknown, res: unknown) => answer(seen, req as never, res as never);
    const { port } = await startListener(t, { plain: true, handler });
    return { seen, closes: false, connect: () => connectPlain(t, port) };
  },
  admin: async (t) => {
    const seen: string[] = [];
    const server = createAdminServer((req, res) => answer(seen, req, res), fail);
    const { port } = await listenOn(server, '127.0.0.1:0', fail);
    t.teardown(() => closeNow(server));
    return { seen, closes: false, connect: () => connectPlain(t, port) };
  },
  redirect: async (t) => {
    const seen: string[] = [];
    const hostnames = () => {
      seen.push('redirect');
      return ['edge.test'];
    };
    const listener = new RedirectListener({ address: '127.0.0.1:0', hostnames, httpsPort: () => 443, onError: fail });
    const { port } = await listener.listen();
    t.teardown(() => listener.close());
    return { seen, closes: true, connect: () => connectPlain(t, port) };
  },
};

function fail(error: unknown): never {
  throw error;
}

function answer(seen: string[], req: http.IncomingMessage, res: http.ServerResponse): void {
  seen.push(`${req.method} ${req.url}`);
  req.resume();
  if (req.url === '/held') return;
  res.setHeader('content-length', 2);
  res.end(req.method === 'HEAD' ? undefined : 'ok');
}

async function connectPlain(t: Test, port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that comes back for some writes, until the listener closes. */
async function ask(connect: () => Promise<Socket>, ...writes: string[]): Promise<string> {
  const socket = await connect();
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  const closed = closing(socket);
  for (const one of writes) {
    socket.write(one, 'latin1');
    await setImmediate();
  }
  await closed;
  return text;
}

/** The same after the reply to another request on that connection. */
async function askAgain(connect: () => Promise<Socket>, text: string): Promise<string> {
  const socket = await connect();
  socket.write(GET);
  const [first] = await once(socket, 'data');
  if (!first.toString().endsWith('\r\n\r\nok')) await once(socket, 'data');
  return ask(async () => socket, text);
}

for (const [name, start] of Object.entries(LISTENERS)) {
  t.test(`${name}: nothing is smuggled`, async (t) => {
    const { connect, seen } = await start(t);
    for (const [what, text] of Object.entries(SMUGGLING)) {
      const reply = await ask(connect, text);
      t.match(reply, /^HTTP\/1\.1 400 Bad Request\r\n/, what);
      t.match(reply, /\r\nConnection: close\r\n/i, what);
      t.equal(reply.match(/HTTP\/1\.1 /g)?.length, 1, `${what}: exactly one reply`);
      t.same(seen, [], `${what}: nothing reaches the handler`);
    }
  });

  t.test(`${name}: no reply to HEAD has a body`, async (t) => {
    const { connect, closes } = await start(t);
    const long = `HEAD /v2/ HTTP/1.1\r\n${HOST}X: ${'x'.repeat(LIMITS.headerBytes)}\r\n\r\n`;
    const rows: Record<string, string> = {
      ...Object.fromEntries(
        Object.entries(SMUGGLING)
          .filter(([, text]) => /^(GET|POST) /.test(text))
          .map(([what, text]) => [what, text.replace(/^(GET|POST)/, 'HEAD').replace(/GET \/smuggled[\s\S]*$/, '')]),
      ),
      'long headers': long,
      'an expectation': `HEAD /v2/ HTTP/1.1\r\n${HOST}Expect: x\r\n\r\n`,
      'empty lines before it': `\r\n\r\nHEAD /v2/ HTTP/1.1\r\n${HOST}Content-Length: x\r\n\r\n`,
    };
    for (const [what, text] of Object.entries(rows)) {
      // TLS brings each write by itself, so that Node's parser shows no more than the second half.
      const replies = [await ask(connect, text), await ask(connect, text.slice(0, 2), text.slice(2))];
      if (!closes) replies.push(await askAgain(connect, text));
      for (const reply of replies) t.match(reply, /^HTTP\/1\.1 4\d\d [\s\S]*?\r\n\r\n$/, what);
    }
  });

  t.test(`${name}: a refusal is told, where no HEAD can be meant`, async (t) => {
    const { connect } = await start(t);
    const reply = await ask(connect, `GET /v2/ HTTP/1.1\r\n${HOST}Content-Length: x\r\n\r\n`);
    t.match(reply, /\r\n\r\n\{"errors":\[\{"code":"UNSUPPORTED","message":"malformed request"/);
    t.match(await ask(connect, `CONNECT other.test:443 HTTP/1.1\r\n${HOST}\r\n`), /^HTTP\/1\.1 405 [\s\S]*CONNECT/);
  });
}

for (const [name, start] of Object.entries({ https: LISTENERS.https, admin: LISTENERS.admin }))
  t.test(`${name}: a refusal is not taken for the reply to the request before it`, async (t) => {
    if (!start) throw new Error('no listener');
    const { connect, seen } = await start(t);
    const connects = ['', 'Content-Length: 1\r\n', 'Expect: x\r\n', 'Host: other.test\r\n'];
    const refused = [
      'rubbish\r\n\r\n',
      SMUGGLING['CL.TE'],
      SMUGGLING['two lengths'],
      ...connects.map((more) => `CONNECT other.test:443 HTTP/1.1\r\n${HOST}${more}\r\n`),
    ];
    for (const method of ['GET', 'HEAD'])
      for (const text of refused) {
        const reply = await ask(connect, `${method} /held HTTP/1.1\r\n${HOST}\r\n${text}`);
        t.equal(reply, '', `${method}, ${text}`);
        t.equal(seen.pop(), `${method} /held`);
      }
    t.same(seen, []);
  });

t.test('a client that is gone behind a refused CONNECT hurts nobody', async (t) => {
  const arrived = Promise.withResolvers<http.ServerResponse>();
  const server = createAdminServer((_req, res) => arrived.resolve(res), fail);
  const { port } = await listenOn(server, '127.0.0.1:0', fail);
  t.teardown(() => closeNow(server));
  const socket = await connectPlain(t, port);
  const refused = `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`;
  socket.write(`GET /held HTTP/1.1\r\n${HOST}\r\n${refused}CONNECT other.test:443 HTTP/1.1\r\n${HOST}\r\n`);
  const res = await arrived.promise;
  const closed = closing(res);
  socket.resetAndDestroy();
  await closing(socket);
  // An error of the connection would end this process.
  res.end('late');
  await closed;
});

for (const plain of [false, true])
  t.test(`a reply with a CONNECT behind it ends, ${plain ? 'plain' : 'https'}`, async (t) => {
    const arrived = Promise.withResolvers<ClientResponse>();
    const handler = (_req: ClientRequest, res: ClientResponse) => {
      arrived.resolve(res);
      Readable.from(Array.from({ length: 400 }, () => Buffer.alloc(50_000))).pipe(res as Writable);
    };
    const { port } = await startListener(t, { handler, plain });
    const socket = plain ? await connectPlain(t, port) : (await connectRaw(t, port)).socket;
    const refused = `GET / HTTP/1.1\r\n${HOST}Expect: x\r\n\r\n`;
    socket.write(`GET /large HTTP/1.1\r\n${HOST}\r\n${refused}CONNECT other.test:443 HTTP/1.1\r\n${HOST}\r\n`);
    const res = await arrived.promise;
    // Node looks after a connection no more once it has met a CONNECT: not even that it takes bytes again is told.
    await closing(res as Writable);
    t.notOk((res as Writable).writableFinished, 'not as if it were whole');
    await closing(socket.on('error', () => undefined).resume());
  });

t.test('a slow head may be that of a HEAD', async (t) => {
  const { port } = await startListener(t, { timings: { headers: 100, sweep: 25 } });
  const reply = await ask(async () => (await connectRaw(t, port)).socket, `HEAD /v2/ HTTP/1.1\r\n${HOST}`);
  t.match(reply, /^HTTP\/1\.1 408 [\s\S]*?\r\n\r\n$/);
});

t.test('admin: a body that waits to be wanted comes, or is refused before', async (t) => {
  const server = createAdminServer((req, res) => req.pipe(res), fail);
  const { port } = await listenOn(server, '127.0.0.1:0', fail);
  t.teardown(() => closeNow(server));
  const headers = (length: number) => ({ expect: '100-continue', 'content-length': length });
  const ask = async (length: number) => {
    const call = http.request({ host: '127.0.0.1', port, method: 'POST', agent: false, headers: headers(length) });
    let continued = false;
    call.on('continue', () => {
      continued = true;
      call.end('body');
    });
    call.on('error', () => {});
    call.flushHeaders();
    const [response] = await once(call, 'response');
    return { continued, status: response.statusCode, body: Buffer.concat(await response.toArray()).toString() };
  };
  t.match(await ask(4), { continued: true, status: 200, body: 'body' });
  t.match(await ask(65_537), { continued: false, status: 413 });
});
