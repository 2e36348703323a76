import { once } from 'node:events';
import http from 'node:http';
import t, { type Test } from 'tap';
import { AdminListener } from '../../src/server/admin-listener.ts';

async function start(t: Test, handler: http.RequestListener) {
  const errors: unknown[] = [];
  const listener = new AdminListener({ address: '127.0.0.1:0', handler, onError: (error) => errors.push(error) });
  const { port } = await listener.listen();
  t.teardown(() => listener.close());
  return { listener, port, errors };
}

async function request(port: number, options: http.RequestOptions = {}, body?: string) {
  const req = http.request({ port, host: '127.0.0.1', agent: false, ...options });
  req.end(body);
  const [res] = await once(req, 'response');
  return { status: res.statusCode, body: Buffer.concat(await res.toArray()).toString() };
}

t.test('hands requests to its handler', async (t) => {
  const { port } = await start(t, (req, res) => req.pipe(res));
  const body = 'x'.repeat(65_536);
  t.match(await request(port, { method: 'POST', headers: { 'content-length': body.length } }, body), {
    status: 200,
    body,
  });
});

t.test('bounds headers and bodies', async (t) => {
  const { port } = await start(t, () => t.fail('this reaches no handler'));
  t.match(await request(port, { headers: { x: 'x'.repeat(9_000) } }), { status: 431 });
  t.match(await request(port, { method: 'POST', headers: { 'content-length': 65_537 } }), { status: 413 });
  t.match(await request(port, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }), { status: 411 });
});

t.test('survives a handler that throws', async (t) => {
  const { port, errors } = await start(t, () => {
    throw new Error('a bug');
  });
  await t.rejects(request(port));
  t.match(errors, [{ message: 'a bug' }]);
});

t.test('closes at once, whatever is under way', async (t) => {
  const arrived = Promise.withResolvers<void>();
  const { listener, port } = await start(t, (_req, res) => {
    res.write('data: \n\n');
    arrived.resolve();
  });
  const events = t.rejects(request(port));
  await arrived.promise;
  await listener.close();
  await events;
});

t.test('says so when its address is taken', async (t) => {
  const { port } = await start(t, () => {});
  const second = new AdminListener({ address: `127.0.0.1:${port}`, handler: () => {}, onError: () => {} });
  await t.rejects(second.listen(), { code: 'EADDRINUSE' });
});
