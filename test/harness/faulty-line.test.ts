import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import t, { type Test } from 'tap';
import { type Faults, FaultyLine } from '../helpers/faulty-line.ts';
import { timeLimit } from '../helpers/time-limit.ts';

const BODY = Buffer.alloc(50_000, 'x');

async function start(t: Test): Promise<FaultyLine> {
  const server = createServer((_request, response) => response.end(BODY));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return new FaultyLine(t, `127.0.0.1:${(server.address() as AddressInfo).port}`).listen();
}

/** How a GET over the line ends: how many bytes came, after what time, and the error if there was one. */
async function get(line: FaultyLine): Promise<{ length: number; took: number; pieces: number; error?: string }> {
  const began = performance.now();
  let length = 0;
  let pieces = 0;
  const finish = (error?: Error & { code?: string }) => ({
    ...{ length, pieces, took: performance.now() - began },
    ...(error ? { error: error.code ?? error.message } : {}),
  });
  try {
    const [response]: IncomingMessage[] = await once(
      request(`http://${line.address}`, { agent: false }).end(),
      'response',
    );
    if (!response) throw new Error('no response');
    for await (const piece of response) {
      length += piece.length;
      pieces += 1;
    }
    return finish();
  } catch (error) {
    return finish(error instanceof Error ? error : new Error(String(error)));
  }
}

t.test('without a fault everything passes', async (t) => {
  const line = await start(t);
  const { length, error } = await get(line);
  t.equal(error, undefined);
  t.equal(length, BODY.length);
  t.equal(line.connections, 1);
});

const cases: [name: string, faults: Faults, check: (t: Test, got: Awaited<ReturnType<typeof get>>) => void][] = [
  ['latency', { latency: 200 }, (t, { took, length }) => t.ok(took >= 199 && length === BODY.length, `${took} ms`)],
  [
    'bandwidth',
    { bandwidth: 200_000 },
    (t, { took, length }) => t.ok(took >= 240 && length === BODY.length, `${took} ms`),
  ],
  [
    'slicer',
    { slicer: { size: 10_000, pause: 10 } },
    (t, { pieces, length }) => t.ok(pieces > 4 && length === BODY.length),
  ],
  [
    'limit_data',
    { limitData: 20_000 },
    (t, { length, error }) => t.ok(error === 'ECONNRESET' && length < 20_000 && length > 19_000, `${length} ${error}`),
  ],
  [
    'timeout',
    { timeout: 100 },
    (t, { took, length, error }) => t.ok(error && length === 0 && took >= 99, `${took} ms, ${error}`),
  ],
  [
    'reset_peer',
    { resetPeer: 50, latency: 500 },
    (t, { took, error }) => t.ok(error === 'ECONNRESET' && took < timeLimit(450), `${took} ms, ${error}`),
  ],
];

for (const [name, faults, check] of cases) {
  t.test(name, async (t) => {
    const line = await start(t);
    line.set(faults);
    check(t, await get(line));
    line.set({});
    t.equal((await get(line)).length, BODY.length, 'and it can be mended');
  });
}

t.test('slow_close', async (t) => {
  const line = await start(t);
  line.set({ slowClose: 200 });
  const [host, port] = line.address.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.write('GET / HTTP/1.0\r\n\r\n');
  let lastByte = 0;
  socket.on('data', () => {
    lastByte = performance.now();
  });
  await once(socket, 'end');
  t.ok(performance.now() - lastByte >= 150, 'the end comes later than the last byte');
});
