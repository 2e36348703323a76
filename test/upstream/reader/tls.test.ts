import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createServer } from 'node:tls';
import t from 'tap';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { until } from '../../helpers/until.ts';
import { madeReader, reasonOf } from './made-reader.ts';
import { TakenBody } from './taken-body.ts';
import { startTlsSource } from './tls-source.ts';

const PIECE = randomBytes(1_000_003);

function digest(pieces: number): string {
  const hash = createHash('sha256');
  for (let index = 0; index < pieces; index += 1) hash.update(PIECE);
  return hash.digest('hex');
}

t.test('byte-exact, however the sink pauses', async (t) => {
  const source = await startTlsSource(t, PIECE, 20);
  const { get, pool, reader } = madeReader(t, source.url, { ca: source.ca });
  const wanted = digest(20);
  const pauses: Record<string, (taken: TakenBody) => boolean> = {
    never: () => true,
    'after each chunk, for a round': (taken) => {
      setImmediate(() => taken.resume());
      return false;
    },
    'after some chunks, for some time': (taken) => {
      if (taken.chunks % 7 !== 0) return true;
      setTimeout(() => taken.resume(), taken.chunks % 40);
      return false;
    },
  };
  for (const [how, wants] of Object.entries(pauses)) {
    const taken = TakenBody.start((await get()).body, wants);
    t.equal(await taken.outcome, 'end', how);
    t.equal(createHash('sha256').update(taken.bytes).digest('hex'), wanted, how);
    t.equal(pool.inUseBytes, 0);
    if (how === 'never') t.ok(taken.chunks < 200, `records are gathered: ${taken.chunks} chunks`);
    await until(() => reader.idle() === 1);
  }
  t.equal(source.names.length, 1, 'one connection');
});

t.test('what came before the start is handed over, though no more comes for long', async (t) => {
  const { cert, key, ca } = await makeCertificate({ names: [], authority: true });
  const sent = 60_000;
  const server = createServer({ cert, key }, (socket) => {
    socket.on('error', () => socket.destroy());
    // One write of several records, which the kernel hands over together.
    socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(sent)}`));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { get, pool } = madeReader(t, `https://127.0.0.1:${(server.address() as AddressInfo).port}`, { ca });
  const { body } = await get();
  await delay(50);
  const taken = TakenBody.start(body);
  await until(() => taken.length === sent, { timeout: 2000, what: () => `${sent} bytes; there are ${taken.length}` });
  body.destroy();
  t.equal(pool.inUseBytes, 0);
});

t.test('many at once, with one that starts late', async (t) => {
  const source = await startTlsSource(t, PIECE, 5);
  const { get, pool } = madeReader(t, source.url, { ca: source.ca });
  const bodies = await Promise.all(Array.from({ length: 16 }, async () => (await get()).body));
  const [late, ...others] = bodies;
  const taken = others.map((body) => TakenBody.start(body));
  for (const one of taken) t.equal(await one.outcome, 'end');
  await delay(50);
  if (late) taken.push(TakenBody.start(late));
  const wanted = digest(5);
  for (const one of taken) {
    t.equal(await one.outcome, 'end');
    t.equal(createHash('sha256').update(one.bytes).digest('hex'), wanted);
  }
  t.equal(pool.inUseBytes, 0);
});

t.test('destroyed midway', async (t) => {
  const source = await startTlsSource(t, PIECE, 100);
  const { get, pool } = madeReader(t, source.url, { ca: source.ca });
  const bodies = await Promise.all(Array.from({ length: 8 }, async () => (await get()).body));
  const taken = bodies.map((body, index) =>
    TakenBody.start(body, ({ length }) => {
      if (length > index * 300_000) body.destroy();
      return true;
    }),
  );
  await until(() => pool.inUseBytes === 0);
  const lengths = taken.map(({ length }) => length);
  await delay(50);
  t.strictSame(
    taken.map(({ length }) => length),
    lengths,
    'nothing after it',
  );
  t.notOk(taken.some(({ over }) => over));
});

t.test('only who has a certificate to be trusted is asked', async (t) => {
  const source = await startTlsSource(t, PIECE, 1);
  const other = await startTlsSource(t, PIECE, 1);
  t.equal(await reasonOf(madeReader(t, source.url).get()), 'tls', 'an unknown authority');
  t.equal(await reasonOf(madeReader(t, source.url, { ca: other.ca }).get()), 'tls', 'another authority');
  const resolver = new Resolver(async () => [{ address: '127.0.0.1', family: 4 }]);
  const { port } = new URL(source.url);
  t.equal(
    await reasonOf(madeReader(t, `https://elsewhere.example:${port}`, { ca: source.ca, resolver }).get()),
    'tls',
    'another name',
  );
  t.equal(source.requests(), 0, 'nothing was said to it');
  t.equal(await reasonOf(madeReader(t, source.url, { ca: [other.ca, source.ca] }).get()), 'none');
  t.equal(source.requests(), 1);
});

t.test('the name is asked for, addresses are not; sessions are resumed', async (t) => {
  const source = await startTlsSource(t, PIECE, 1);
  const { port } = new URL(source.url);
  const resolver = new Resolver(async () => [{ address: '127.0.0.1', family: 4 }]);
  const named = madeReader(t, `https://localhost:${port}`, { ca: source.ca, resolver });
  await TakenBody.start((await named.get()).body).outcome;
  const both = [await named.get(), await named.get()];
  for (const { body } of both) body.destroy();
  await until(() => source.names.length >= 2);
  t.ok(source.names.every((name) => name === 'localhost'));
  t.ok(source.resumed.includes(true));
  source.names.length = 0;
  await madeReader(t, source.url, { ca: source.ca }).get();
  t.strictSame(source.names, [false]);
});

t.test('no TLS where it is expected', async (t) => {
  const source = await startTlsSource(t, PIECE, 1);
  t.match(await reasonOf(madeReader(t, source.url.replace('https', 'http')).get()), /short|malformed|reset/);
});
