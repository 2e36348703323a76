import { randomBytes } from 'node:crypto';
import t from 'tap';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { until } from '../../helpers/until.ts';
import { madeReader } from './made-reader.ts';
import { TakenBody } from './taken-body.ts';

const BODY = randomBytes(3_000_000);
const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;

t.test('bodies that break off: what came is handed over, and then why', async (t) => {
  for (const sent of [0, 1, 10_000, 1_000_000]) {
    const short = await startOddServer(t, (socket) => {
      socket.write(head(BODY.length));
      socket.end(BODY.subarray(0, sent));
    });
    const { get, pool, reader } = madeReader(t, short.url);
    const taken = TakenBody.start((await get()).body);
    t.equal(await taken.outcome, 'short', `after ${sent} bytes`);
    t.ok(taken.bytes.equals(BODY.subarray(0, sent)), 'all that came');
    t.equal(taken.calls.at(-1), 'failed');
    t.equal(pool.inUseBytes, 0);
    t.equal(reader.idle(), 0);
  }
  const reset = await startOddServer(t, (socket) => {
    socket.write(head(BODY.length));
    socket.write(BODY.subarray(0, 1_000_000));
  });
  const { get, pool } = madeReader(t, reset.url);
  const taken = TakenBody.start((await get()).body, ({ length }) => {
    if (length === 1_000_000) for (const socket of reset.sockets) socket.resetAndDestroy();
    return true;
  });
  t.equal(await taken.outcome, 'reset');
  t.equal(taken.length, 1_000_000);
  t.equal(pool.inUseBytes, 0);
});

t.test('a body that is whole is whole, whatever becomes of its connection', async (t) => {
  for (const end of ['end', 'destroySoon', 'resetAndDestroy'] as const) {
    const server = await startOddServer(t, (socket) => {
      socket.write(head(100_000));
      socket.write(BODY.subarray(0, 100_000), () => end !== 'resetAndDestroy' && socket[end]());
    });
    const { get, reader, pool } = madeReader(t, server.url);
    const taken = TakenBody.start((await get()).body);
    t.equal(await taken.outcome, 'end', end);
    t.ok(taken.bytes.equals(BODY.subarray(0, 100_000)));
    if (end === 'resetAndDestroy') for (const socket of server.sockets) socket.resetAndDestroy();
    await until(() => server.sockets.size === 0 && reader.idle() === 0);
    t.equal(pool.inUseBytes, 0);
  }
});

t.test('a start that comes late', async (t) => {
  const server = await startOddServer(t, (socket) => {
    socket.write(Buffer.concat([Buffer.from(head(BODY.length)), BODY]));
  });
  const { get, reader } = madeReader(t, server.url);
  const { body } = await get();
  const [socket] = server.sockets;
  await until(() => socket && socket.bytesWritten >= BODY.length);
  t.equal(reader.idle(), 0, 'its connection is its own until then');
  const taken = TakenBody.start(body);
  t.equal(await taken.outcome, 'end');
  t.ok(taken.bytes.equals(BODY));
});

t.test('what has come is handed over, though no more comes for long', async (t) => {
  for (const size of [1, 4095, 4096, 4097, 65_536, 300_000]) {
    const server = await startOddServer(t, (socket) => socket.write(head(size * 2)));
    const { get } = madeReader(t, server.url);
    const taken = TakenBody.start((await get()).body);
    const [socket] = server.sockets;
    socket?.write(BODY.subarray(0, size));
    await until(() => taken.length === size, { timeout: 2000, what: () => `${size} bytes; there are ${taken.length}` });
    socket?.write(BODY.subarray(size, size * 2));
    t.equal(await taken.outcome, 'end');
    t.ok(taken.bytes.equals(BODY.subarray(0, size * 2)));
  }
});

t.test('an error before the start is kept', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write(`${head(100)}hello`));
  const { get, reader, pool } = madeReader(t, server.url);
  const { body } = await get();
  await reader.destroy();
  const taken = TakenBody.start(body);
  t.equal(await taken.outcome, 'reset');
  t.equal(taken.bytes.toString(), 'hello');
  t.equal(pool.inUseBytes, 0);
});

t.test('destroyed: the upstream sees it, and all memory is back', async (t) => {
  const rows: [string, (taken: TakenBody, destroy: () => void) => void][] = [
    ['before the start', (_, destroy) => destroy()],
    ['midway, while bytes come', (taken, destroy) => taken.length > 500_000 && destroy()],
    ['midway, while it is paused', (taken, destroy) => taken.length > 500_000 && setImmediate(destroy)],
  ];
  for (const [what, act] of rows) {
    const server = await startOddServer(t, (socket) => {
      socket.write(head(BODY.length * 10));
      for (let turn = 0; turn < 10; turn += 1) socket.write(BODY);
    });
    const { get, pool, reader } = madeReader(t, server.url);
    const { body } = await get();
    const destroy = () => {
      body.destroy();
      body.destroy();
    };
    const taken = new TakenBody(body, (now) => {
      act(now, destroy);
      return !what.includes('paused') || now.length <= 500_000;
    });
    if (what === 'before the start') destroy();
    body.start(taken);
    await until(() => server.sockets.size === 0, { what: () => `${what}: the connection is closed` });
    body.resume();
    t.equal(pool.inUseBytes, 0, `${what}: nothing in use`);
    t.ok(taken.length < 2_000_000, what);
    t.notOk(taken.over, `${what}: and nothing more is told`);
    t.equal(reader.idle(), 0);
  }
});

t.test('destroyed when all of it has come: the connection is kept', async (t) => {
  const server = await startOddServer(t, (socket) => socket.write(`${head(5)}hello`));
  const { get, pool, reader } = madeReader(t, server.url);
  (await get()).body.destroy();
  await until(() => reader.idle() === 1);
  t.equal(pool.inUseBytes, 0);
  const taken = TakenBody.start((await get()).body);
  t.equal(await taken.outcome, 'end');
  t.equal(server.connects(), 1);
});

t.test('a chunk may be held for longer than the connection lives', async (t) => {
  const server = await startOddServer(t, (socket) => socket.end(Buffer.concat([Buffer.from(head(BODY.length)), BODY])));
  const { get, pool } = madeReader(t, server.url);
  const held: { bytes: Buffer; release: () => void }[] = [];
  const { body } = await get();
  await new Promise<void>((resolve, reject) => {
    body.start({
      data(chunk) {
        held.push({ bytes: chunk.bytes, release: () => chunk.release() });
        return true;
      },
      end: resolve,
      failed: reject,
    });
  });
  await until(() => server.sockets.size === 0);
  t.ok(pool.inUseBytes > 0);
  const { body: other } = await get();
  await TakenBody.start(other).outcome;
  t.ok(Buffer.concat(held.map(({ bytes }) => bytes)).equals(BODY), 'nobody wrote into it');
  for (const { release } of held) release();
  t.equal(pool.inUseBytes, 0);
});

t.test('when the pool has no memory, sockets wait for it', async (t) => {
  const server = await startOddServer(t, (socket) =>
    socket.write(Buffer.concat([Buffer.from(head(BODY.length)), BODY])),
  );
  const pool = new BufferPool({ max: 600_000 });
  const { get } = madeReader(t, server.url, { pool });
  let most = 0;
  const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await get()).body));
  const taken = bodies.map((body) =>
    TakenBody.start(body, () => {
      most = Math.max(most, pool.inUseBytes);
      if (Math.random() < 0.7) return true;
      setImmediate(() => body.resume());
      return false;
    }),
  );
  for (const one of taken) {
    t.equal(await one.outcome, 'end');
    t.ok(one.bytes.equals(BODY));
  }
  t.equal(pool.inUseBytes, 0);
  t.ok(most <= 600_000 + 20 * 65_536, `${most} bytes in use: the bound, and what came with the heads`);
});
