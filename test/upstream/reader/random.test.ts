import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import type { BodySource, Chunk } from '../../../src/upstream/body/body-source.ts';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { propertyRuns } from '../../helpers/property-runs.ts';
import { until } from '../../helpers/until.ts';
import { type MadeReader, madeReader } from './made-reader.ts';

const BODY = randomBytes(2_000_000);

/** What happens in one transfer. */
interface Plan {
  length: number;
  /** Bytes of it that the upstream sends before it ends the connection; more than there are: all of them, and it stays. */
  sent: number;
  how: 'end' | 'reset';
  /** Sizes of the upstream's writes, in turn; after each it waits for the next round of its event loop. */
  writes: number[];
  /** What the sink does after each chunk, in turn. */
  pauses: ('no' | 'round' | 'moment')[];
  /** Milliseconds until a chunk is released. */
  hold: number;
  /** After how many chunks the sink has had enough. */
  leave: number;
}

const plans = fc.record({
  length: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 0, max: BODY.length })),
  sent: fc.oneof(
    { weight: 3, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
    fc.integer({ min: 0, max: BODY.length }),
  ),
  how: fc.constantFrom('end' as const, 'reset' as const),
  writes: fc.array(fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 1_000_000 })), {
    minLength: 1,
    maxLength: 5,
  }),
  pauses: fc.array(fc.constantFrom('no' as const, 'round' as const, 'moment' as const), { minLength: 1, maxLength: 5 }),
  hold: fc.integer({ min: 0, max: 3 }),
  leave: fc.oneof({ weight: 3, arbitrary: fc.constant(Number.POSITIVE_INFINITY) }, fc.integer({ min: 1, max: 20 })),
});

const round = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Or closed. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      socket.off('drain', settle).off('close', settle);
      resolve();
    };
    socket.on('drain', settle).on('close', settle);
  });
}

async function send(socket: Socket, { length, sent, how, writes }: Plan): Promise<void> {
  const bytes = Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`),
    BODY.subarray(0, length),
  ]);
  const until = bytes.length - length + Math.min(sent, length);
  let at = 0;
  for (let turn = 0; at < until; turn += 1) {
    // Writes that are too small take for ever.
    const size = Math.max(writes[turn % writes.length] ?? 1, length / 100);
    const piece = bytes.subarray(at, Math.min(until, at + size));
    at += piece.length;
    if (!socket.write(piece)) await drained(socket);
    if (socket.destroyed) return;
    await round();
  }
  if (sent < length && how === 'end') socket.end();
  else if (sent < length) socket.resetAndDestroy();
}

/** The plans by path, and a server that follows them. */
async function serve(t: Test, secure: boolean, server: Server, followed: Map<string, Plan>) {
  const sockets = new Set<Socket>();
  const answer = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      const plan = followed.get(/^GET (\S+)/.exec(chunk.toString())?.[1] ?? '');
      if (plan) send(socket, plan).catch(() => socket.destroy());
    });
  };
  server.on(secure ? 'secureConnection' : 'connection', answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

/** Takes a body as planned. @returns how it ended, after every chunk was compared */
async function take(body: BodySource, plan: Plan): Promise<string> {
  const checks: Promise<void>[] = [];
  let at = 0;
  const check = async (chunk: Chunk, from: number) => {
    if (plan.hold > 0) await delay(plan.hold);
    // Compared as late as may be, so that whoever writes into it too early is found out.
    if (!chunk.bytes.equals(BODY.subarray(from, from + chunk.bytes.length))) throw new Error(`wrong bytes at ${from}`);
    chunk.release();
  };
  const outcome = await new Promise<string>((resolve) => {
    body.start({
      data(chunk) {
        checks.push(check(chunk, at));
        at += chunk.bytes.length;
        if (checks.length >= plan.leave) {
          body.destroy();
          resolve('left');
          return false;
        }
        const pause = plan.pauses[checks.length % plan.pauses.length];
        if (pause === 'no') return true;
        if (pause === 'round') setImmediate(() => body.resume());
        else setTimeout(() => body.resume(), 2);
        return false;
      },
      end: () => resolve('end'),
      failed: ({ reason }) => resolve(reason),
    });
  });
  await Promise.all(checks);
  return `${outcome} ${at}`;
}

async function run({ get }: MadeReader, path: string, plan: Plan): Promise<void> {
  const whole = plan.sent >= plan.length;
  const answer = await get(path).catch((error: unknown) => {
    // A reset takes along what was sent shortly before it.
    if (whole || plan.how === 'end') throw error;
  });
  if (!answer) return;
  const { body, headers } = answer;
  const length = headers.contentLength();
  if (length !== plan.length) throw new Error(`the length is ${length}`);
  const outcome = await take(body, plan);
  const wanted = whole ? new RegExp(`^(end ${plan.length}|left \\d+)$`) : /^((short|reset) \d+|left \d+)$/;
  if (!wanted.test(outcome)) throw new Error(`${outcome} is not ${wanted}`);
  const at = Number(outcome.split(' ')[1]);
  if (outcome.startsWith('short') && at !== plan.sent) throw new Error(`${outcome}, but ${plan.sent} bytes were sent`);
  if (at > Math.min(plan.sent, plan.length)) throw new Error(`${outcome}: more than was sent`);
}

for (const secure of [false, true]) {
  t.test(`whatever upstream and sink do, no byte is wrong (TLS: ${secure})`, async (t) => {
    const { cert, key, ca } = await makeCertificate({ names: [], authority: true });
    const followed = new Map<string, Plan>();
    const { port, sockets } = await serve(
      t,
      secure,
      secure ? createTlsServer({ cert, key }) : createServer(),
      followed,
    );
    const pool = new BufferPool({ max: 900_000 });
    const made = madeReader(t, `http${secure ? 's' : ''}://127.0.0.1:${port}`, { ca, pool });
    let paths = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(plans, { minLength: 1, maxLength: 6 }), async (several) => {
        await Promise.all(
          several.map((plan) => {
            paths += 1;
            followed.set(`/${paths}`, plan);
            return run(made, `/${paths}`, plan);
          }),
        );
        await until(() => pool.inUseBytes === 0, {
          timeout: 2000,
          what: () => `${pool.inUseBytes} bytes to come back`,
        });
      }),
      { numRuns: propertyRuns(60) },
    );
    const sizes = Array.from({ length: 9 }, () => {
      pool.addFastBody();
      return pool.fastSize;
    });
    t.strictSame(sizes, [...Array.from({ length: 8 }, () => 'large'), 'medium'], 'every body is over');
    t.ok(paths - sockets.size > 10, 'connections were used again');
  });
}
