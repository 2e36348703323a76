import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { finished } from 'node:stream';
import t from 'tap';
import { FaultProxy } from '../../bench/upstreams/fault-proxy.ts';
import type { Owner } from '../helpers/temporary-folder.ts';

const BODY = Buffer.alloc(300_000, 'blob');

async function setUp(t: Owner, lines = 1): Promise<{ line: FaultProxy; urls: string[]; agent: Agent }> {
  const server = createServer((_request, response) => response.end(BODY));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const line = await FaultProxy.start(t, `127.0.0.1:${(server.address() as AddressInfo).port}`, lines);
  return { line, urls: line.addresses.map((address) => `http://${address}/v2/app/blobs/x`), agent };
}

async function begin(url: string, agent: Agent): Promise<IncomingMessage> {
  const call = get(url, { agent });
  const [response]: IncomingMessage[] = await once(call, 'response');
  if (!response) throw new Error('no response');
  // A reset is told by the response as well.
  call.on('error', (error) => response.destroy(error));
  return response;
}

/** How many bytes came, and how it ended. */
async function ask(url: string, agent: Agent): Promise<{ status: number; bytes: number; error?: string }> {
  const response = await begin(url, agent);
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => finished(response, resolve));
  return { status: response.statusCode ?? 0, bytes, ...(error ? { error: error.code ?? error.message } : {}) };
}

t.test('carries everything, and counts what each listener was asked', async (t) => {
  const { line, urls, agent } = await setUp(t, 2);
  const [first = '', second = ''] = urls;
  for (const url of [first, first, second]) t.strictSame(await ask(url, agent), { status: 200, bytes: BODY.length });
  t.equal((await ask(new URL('/v2/', first).href, agent)).status, 200);
  t.strictSame(await line.requests(), [2, 1], '/v2/ is no content');
});

t.test('one request of three fails, and none when it is mended', async (t) => {
  const { line, urls, agent } = await setUp(t);
  const [url = ''] = urls;
  await line.set({ failEvery: 3 });
  const statuses: number[] = [];
  while (statuses.length < 6) statuses.push((await ask(url, agent)).status);
  t.strictSame(statuses, [200, 200, 500, 200, 200, 500]);
  await line.set({});
  for (let index = 0; index < 3; index += 1) t.equal((await ask(url, agent)).status, 200);
});

t.test('a long body is reset in the middle, a short one is not', async (t) => {
  const { line, urls, agent } = await setUp(t);
  const [url = ''] = urls;
  await line.set({ cut: { how: 'reset', after: 100_000 } });
  const { status, bytes, error } = await ask(url, agent);
  t.strictSame({ status, error }, { status: 200, error: 'ECONNRESET' });
  t.ok(bytes <= 100_000, 'what was still on its way is lost');
  await line.set({ cut: { how: 'reset', after: BODY.length } });
  t.strictSame(await ask(url, agent), { status: 200, bytes: BODY.length });
});

t.test('a long body stalls in the middle', async (t) => {
  const { line, urls, agent } = await setUp(t);
  await line.set({ cut: { how: 'stall', after: 100_000 } });
  const response = await begin(urls[0] ?? '', agent);
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes === 100_000) break;
  }
  t.equal(bytes, 100_000, 'up to there, and the connection is open');
});

t.test('a trickle brings the header at once, and the rest when it is mended', async (t) => {
  const { line, urls, agent } = await setUp(t);
  await line.set({ trickle: 100 });
  const response = await begin(urls[0] ?? '', agent);
  const [first]: Buffer[] = await once(response, 'data');
  t.ok((first?.length ?? 0) <= 10, 'a tenth of a second of it');
  await line.set({});
  let bytes = first?.length ?? 0;
  for await (const chunk of response) bytes += chunk.length;
  t.equal(bytes, BODY.length);
});

t.test('swallowed: nobody is connected any more, until it is over', async (t) => {
  const { line, urls, agent } = await setUp(t);
  const [url = ''] = urls;
  await ask(url, agent);
  await line.swallow();
  const port = Number(new URL(url).port);
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  const connected = once(socket, 'connect');
  const before = await Promise.race([
    connected.then(() => 'connected'),
    once(socket.setTimeout(300), 'timeout').then(() => 'silence'),
  ]);
  t.equal(before, 'silence');
  line.unswallow();
  await connected;
  t.equal((await ask(url, agent)).status, 200);
});
