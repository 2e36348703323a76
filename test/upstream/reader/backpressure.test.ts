import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startOddServer } from '../../helpers/odd-server.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';
import { madeReader } from './made-reader.ts';
import { TakenBody } from './taken-body.ts';
import { startTlsSource } from './tls-source.ts';

const PIECE = Buffer.alloc(1_000_000, 'abcdefg');
const PIECES = 200;

/** A server that sends 200 MB as fast as they are taken. */
async function startPlainSource(t: Test): Promise<{ url: string; ca: undefined; written: () => number }> {
  const server = await startOddServer(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${PIECE.length * PIECES}\r\n\r\n`);
    let sent = 0;
    const send = () => {
      while (sent < PIECES) {
        sent += 1;
        if (!socket.write(PIECE)) return void socket.once('drain', send);
      }
    };
    send();
  });
  return {
    url: server.url,
    ca: undefined,
    written: () => [...server.sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0),
  };
}

/** Waits until a number does not change any more. @returns it */
async function settled(look: () => number): Promise<number> {
  let last = look();
  await until(async () => {
    await delay(timeLimit(100));
    const now = look();
    const same = now === last;
    last = now;
    return same;
  });
  return last;
}

for (const secure of [false, true]) {
  t.test(`a sink that pauses holds the upstream back (TLS: ${secure})`, async (t) => {
    const source = secure ? await startTlsSource(t, PIECE, PIECES) : await startPlainSource(t);
    const { get, pool } = madeReader(t, source.url, { ca: source.ca });
    const { body } = await get();
    let pauseAt = 0;
    const taken = TakenBody.start(body, ({ length }) => length < pauseAt);
    const before = await settled(source.written);
    // What the kernel holds on both sides is not ours to bound; it is far less than the body.
    t.ok(before < 100_000_000, `${before} bytes were written while nothing is taken`);
    t.ok(taken.length <= 600_000, `${taken.length} bytes were handed over`);
    t.ok(pool.inUseBytes <= 1_200_000, `${pool.inUseBytes} bytes in use: what is read into next, and what was begun`);
    const { length } = taken;
    t.equal(await settled(() => taken.length), length, 'nothing more while it is paused');
    pauseAt = 50_000_000;
    taken.resume();
    await until(() => taken.length >= pauseAt);
    t.ok((await settled(() => taken.length)) < pauseAt + 1_200_000, 'a chunk or two more at the most');
    t.ok(pool.inUseBytes <= 1_200_000);
    pauseAt = Number.POSITIVE_INFINITY;
    taken.resume();
    t.equal(await taken.outcome, 'end');
    t.equal(taken.length, PIECE.length * PIECES);
    t.equal(pool.inUseBytes, 0);
  });
}

t.test('slow clients hold little', async (t) => {
  const source = await startPlainSource(t);
  const { get, pool } = madeReader(t, source.url);
  const bodies = await Promise.all(Array.from({ length: 30 }, async () => (await get()).body));
  const held: { release(): void }[][] = bodies.map(() => []);
  for (const [index, body] of bodies.entries())
    body.start({
      data(chunk) {
        // As a client's socket that takes long for each chunk.
        held[index]?.push(chunk);
        return false;
      },
      end: () => t.fail('no end'),
      failed: (error) => t.fail(error),
    });
  for (let turn = 0; turn < 4; turn += 1) {
    await until(() => held.every((chunks) => chunks.length > 0));
    await delay(120);
    for (const [index, body] of bodies.entries()) {
      for (const chunk of held[index]?.splice(0) ?? []) chunk.release();
      body.resume();
    }
  }
  await until(() => held.every((chunks) => chunks.length > 0));
  t.equal(pool.fastSize, 'large', 'and others do not have less for them');
  t.ok(pool.inUseBytes <= bodies.length * 65_536, `${pool.inUseBytes} bytes in use`);
  for (const chunks of held) for (const chunk of chunks) chunk.release();
  for (const body of bodies) body.destroy();
  t.equal(pool.inUseBytes, 0);
});
