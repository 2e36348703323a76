import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { Cleanup } from '../helpers/cleanup.ts';
import { VirtualTime } from './virtual-time.ts';

t.test('hours pass at once, and what is due in them happens in order', async (t) => {
  const cleanup = new Cleanup();
  const real = { setTimeout, Date, timeout: AbortSignal.timeout };
  const time = new VirtualTime(cleanup);
  const happened: string[] = [];
  const [began, day] = [performance.now(), Date.now()];
  setTimeout(() => happened.push('an hour'), 3_600_000);
  const every = setInterval(() => happened.push('a quarter'), 900_000);
  const signal = AbortSignal.timeout(1_000_000);
  void wait(2_000_000).then(() => happened.push('waited'));
  clearTimeout(setTimeout(() => happened.push('never'), 10));
  await time.pass(2_700_000);
  clearInterval(every);
  await time.pass(1_000_000);
  t.strictSame(happened, ['a quarter', 'a quarter', 'waited', 'a quarter', 'an hour']);
  t.equal(signal.aborted && signal.reason.name, 'TimeoutError');
  t.equal(Math.round(performance.now() - began), 3_700_000);
  t.equal(new Date().getTime() - day, 3_700_000);
  await cleanup.run();
  t.strictSame({ setTimeout, Date, timeout: AbortSignal.timeout }, real, 'everything is as it was');
});

t.test('an abort ends a wait', async (t) => {
  const cleanup = new Cleanup();
  const time = new VirtualTime(cleanup);
  const controller = new AbortController();
  const waited = wait(1000, undefined, { signal: controller.signal });
  controller.abort();
  await t.rejects(waited, { name: 'AbortError' });
  await time.pass(1);
  await cleanup.run();
});

t.test('no time passes while sockets and other threads are at work', async (t) => {
  const cleanup = new Cleanup();
  const server = createServer((_, response) => setTimeout(() => response.end('late'), 5000)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const time = new VirtualTime(cleanup);
  const { port } = server.address() as { port: number };
  const asked = fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
  t.equal(await time.waitFor(asked, 10_000, 'the answer'), 'late');
  t.equal(time.now, 5000, 'only the time that the server waited');
  const key = crypto.subtle.importKey('raw', Buffer.alloc(32), 'AES-GCM', false, ['encrypt']);
  const sealed = key.then((one) =>
    crypto.subtle.encrypt({ name: 'AES-GCM', iv: Buffer.alloc(12) }, one, Buffer.alloc(64)),
  );
  t.equal((await time.waitFor(sealed, 1, 'the encryption')).byteLength, 80);
  await t.rejects(time.waitFor(new Promise(() => undefined), 100, 'nothing'), /nothing took more than 100 ms/);
  await cleanup.run();
  server.closeAllConnections();
  server.close();
});
