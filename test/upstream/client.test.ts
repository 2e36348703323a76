import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import net, { type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { readBody } from '../../src/upstream/body/read-body.ts';
import { type Answer, Client, type ClientOptions } from '../../src/upstream/client.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import { asUpstreamError, type UpstreamError } from '../../src/upstream/upstream-error.ts';
import { startOddServer } from '../helpers/odd-server.ts';

function client(t: Test, url: string, given: Partial<ClientOptions> = {}): Client {
  const made = new Client(new URL(url), {
    ca: undefined,
    connectMs: 2000,
    connections: 4,
    resolver: new Resolver(),
    ...given,
  });
  t.teardown(() => made.destroy());
  return made;
}

const get = (path = '/x', signal = new AbortController().signal) => ({ method: 'GET', path, headers: {}, signal });

async function serve(t: Test, server: Server | net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return asUpstreamError(error).reason;
  }
}

t.test('no answer, and why', async (t) => {
  const unused = net.createServer();
  const refused = await serve(t, unused);
  unused.close();
  await once(unused, 'close');
  t.equal(await reasonOf(client(t, `http://127.0.0.1:${refused}`).send(get())), 'connect');

  const rows: [string, (socket: net.Socket) => unknown, string][] = [
    ['reset', (socket) => socket.resetAndDestroy(), 'reset'],
    ['closed without a word', (socket) => socket.end(), 'short'],
    ['no HTTP', (socket) => socket.end('220 mail.example.io ESMTP\r\n\r\n'), 'malformed'],
    ['a status that is none', (socket) => socket.end('HTTP/1.1 abc OK\r\n\r\n'), 'malformed'],
    ['headers without end', (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(70_000)}`), 'malformed'],
    [
      'two lengths',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
      'length',
    ],
  ];
  for (const [name, answer, reason] of rows) {
    const { url } = await startOddServer(t, answer);
    t.equal(await reasonOf(client(t, url).send(get())), reason, name);
  }
});

t.test('a name that does not resolve', async (t) => {
  for (const code of ['ENOTFOUND', 'EAI_AGAIN']) {
    const resolver = new Resolver(async () => {
      throw Object.assign(new Error(`getaddrinfo ${code} registry.invalid`), { code });
    });
    t.equal(await reasonOf(client(t, 'http://registry.invalid', { resolver }).send(get())), 'dns', code);
  }
});

t.test('TLS: who is trusted, and what fails', async (t) => {
  const { cert, key, ca } = await makeCertificate({ authority: true });
  const port = await serve(
    t,
    createTlsServer({ cert, key }, (_, response) => response.end('hello')),
  );
  const plain = await serve(
    t,
    net.createServer((socket) => socket.on('error', () => undefined).end('HTTP/1.1 200 OK\r\n\r\n')),
  );
  const known = client(t, `https://localhost:${port}`, { ca });
  const answer = await known.send(get());
  t.equal((await readBody(answer.body, 100)).toString(), 'hello');
  const elsewhere = await known.sendElsewhere(new URL(`https://127.0.0.1:${port}/y`), get('ignored'));
  t.equal(elsewhere.status, 200, 'its authority is trusted where redirects lead, too');
  await elsewhere.body.dump();
  t.equal(await reasonOf(client(t, `https://localhost:${port}`).send(get())), 'tls', 'nobody knows the authority');
  const other = await makeCertificate({ authority: true });
  t.equal(await reasonOf(client(t, `https://localhost:${port}`, { ca: other.ca }).send(get())), 'tls', 'another one');
  const resolver = new Resolver(async () => [{ address: '127.0.0.1', family: 4 }]);
  t.equal(
    await reasonOf(client(t, `https://other.invalid:${port}`, { ca, resolver }).send(get())),
    'tls',
    'another name',
  );
  t.equal(await reasonOf(client(t, `https://127.0.0.1:${plain}`, { ca }).send(get())), 'tls', 'no TLS there');
});

t.test("the caller's signal ends it, wherever it is, with the caller's reason", async (t) => {
  const silent = await startOddServer(t, () => undefined);
  const stalling = await startOddServer(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab'));
  const mine = new Error('mine');
  const waiting = new AbortController();
  const rejected = t.rejects(client(t, silent.url).send(get('/x', waiting.signal)), mine);
  await once(process, 'nothing', { signal: AbortSignal.timeout(1) }).catch(() => undefined);
  waiting.abort(mine);
  await rejected;
  await t.rejects(client(t, silent.url).send(get('/x', AbortSignal.abort(mine))), mine, 'also before it began');
  const body = new AbortController();
  const answer = await client(t, stalling.url).send(get('/x', body.signal));
  const read = readBody(answer.body, 100);
  body.abort(mine);
  await t.rejects(read, mine);
});

t.test('bodies that are not whole', async (t) => {
  const rows: [string, (socket: net.Socket) => unknown, string][] = [
    ['ends early', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab'), 'short'],
    [
      'ends early, in chunks',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n'),
      'short',
    ],
    [
      'a chunk that is none',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n'),
      'malformed',
    ],
    [
      'longer than is taken',
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n${'a'.repeat(150)}`),
      'too-large',
    ],
  ];
  for (const [name, answer, reason] of rows) {
    const { url } = await startOddServer(t, answer);
    const read = client(t, url)
      .send(get())
      .then(({ body }) => readBody(body, 100));
    t.equal(await reasonOf(read), reason, name);
  }
});

t.test('headers come as they were sent', async (t) => {
  const { url } = await startOddServer(t, (socket) =>
    socket.write(
      'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nX-B: \xe9\r\nwww-authenticate: Bearer realm="y"\r\nContent-Length: 0\r\n\r\n',
      'latin1',
    ),
  );
  const { status, headers, body } = await client(t, url).send(get());
  await body.dump();
  t.equal(status, 401);
  t.equal(headers.joined('www-authenticate'), 'Basic realm="x", Bearer realm="y"');
  t.equal(headers.get('x-b'), '\u00e9');
  t.equal(headers.contentLength(), 0);
});

t.test('what is sent', async (t) => {
  const { url, heads } = await startOddServer(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
  );
  const made = client(t, url);
  const answer = await made.send({
    ...get('/v2/a/tags/list?n=1&last=%2F'),
    headers: { accept: 'a/b', authorization: 'Basic x' },
  });
  await answer.body.dump();
  t.match(heads[0], /^GET \/v2\/a\/tags\/list\?n=1&last=%2F HTTP\/1\.1\r\n/);
  t.match(heads[0], /accept: a\/b/);
  t.match(heads[0], /authorization: Basic x/);
  const posted = await made.send({
    ...get('/token'),
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: 'a=b',
  });
  await posted.body.dump();
  t.match(heads[1], /^POST \/token[\s\S]*content-length: 3/);
});

t.test('500 requests in a row over 2 connections, however their bodies are left', async (t) => {
  let connections = 0;
  const server = createServer((request, response) => {
    const length = Number(request.url?.slice(1));
    response.writeHead(length === 404 ? 404 : 200, { 'content-length': length });
    response.end(request.method === 'HEAD' ? undefined : Buffer.alloc(length));
  });
  server.on('connection', () => {
    connections += 1;
  });
  t.teardown(() => server.closeAllConnections());
  const made = client(t, `http://127.0.0.1:${await serve(t, server)}`, { connections: 2 });
  for (let count = 0; count < 100; count += 1) {
    await readBody((await made.send(get('/100'))).body, 1000);
    await (await made.send(get('/404'))).body.dump({ limit: 16_384 });
    await (await made.send(get('/1'))).body.dump();
    await (await made.send(get('/0'))).body.dump();
    await (await made.send(get('/20000'))).body.dump({ limit: 65_536 });
  }
  t.ok(connections <= 2, `${connections} connections for 500 requests`);
  for (let count = 0; count < 20; count += 1) {
    await (await made.send(get('/1000000'))).body.dump({ limit: 16_384 });
    await t.rejects(readBody((await made.send(get('/1000000'))).body, 10));
    await (await made.send({ ...get('/5000'), method: 'HEAD' })).body.dump();
    (await made.send(get('/1000000'))).body.destroy();
  }
  t.equal(
    (await readBody((await made.send(get('/7'))).body, 10)).length,
    7,
    'what was too long to read has not cost a connection',
  );
});

t.test('destroyed, what is under way ends', async (t) => {
  const silent = await startOddServer(t, () => undefined);
  const made = client(t, silent.url);
  const pending = made.send(get()).catch((error: UpstreamError) => error.name);
  await made.destroy();
  t.equal(await pending, 'UpstreamError');
});

t.test('a body that breaks off before it is read is an error for its reader only', async (t) => {
  const odd = await startOddServer(t, (socket) =>
    socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nten bytes.'),
  );
  for (const read of [
    (body: Answer['body']) => readBody(body, 1000),
    (body: Answer['body']) => body.dump({ limit: 1000 }).then(() => 'dumped'),
  ]) {
    const { body } = await client(t, odd.url).send(get());
    const closed = new Promise<void>((resolve) => body.once('close', resolve));
    for (const socket of odd.sockets) socket.resetAndDestroy();
    // Its reader may wait for something else meanwhile, such as the canary. Without a listener the process would end here.
    await closed;
    t.match(await read(body).catch(String), /dumped|closed|reset|terminated/i);
  }
});
