import t, { type Test } from 'tap';
import { startLabControl } from '../../src/lab/control.ts';
import { FAULT_NAMES } from '../../src/lab/fault.ts';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { ask } from './ask.ts';

async function start(t: Test) {
  const registries = { harbor: await startLabRegistry({ harbor: true }), gcr: await startLabRegistry() };
  const switched: [string, string | undefined, boolean][] = [];
  const control = await startLabControl({ registries, onSwitch: (...one) => switched.push(one) });
  t.teardown(() => Promise.all([control.close(), registries.harbor.close(), registries.gcr.close()]));
  const send = async (method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}) => {
    const asked = await ask(control.url, method, path, { headers, ...(body === undefined ? {} : { body }) });
    return { status: asked.status, json: JSON.parse(asked.body.toString()) };
  };
  return { ...registries, send, switched };
}

t.test('throws the switches', async (t) => {
  const { harbor, gcr, send, switched } = await start(t);
  t.match(await send('POST', '/harbor/frozen'), { status: 200, json: { faults: { frozen: { hits: 0 } } } });
  t.ok(harbor.faults.isOn('frozen'));
  t.notOk(gcr.faults.isOn('frozen'));
  t.equal((await send('POST', '/harbor/storage-hung')).status, 200, 'however it is written');
  await send('POST', '/gcr/cut', '{"bytes": 100, "path": "big", "kind": "blob", "times": 2}');
  t.match(gcr.faults.parameters('cut'), { bytes: 100, path: /big/, kind: ['blob'], times: 2 });

  const { json } = await send('GET', '/');
  t.match(json.registries, {
    harbor: { url: harbor.url, writes: 0, faults: { frozen: {}, storageHung: {} } },
    gcr: { faults: { cut: { bytes: 100, path: 'big', hits: 0 } } },
  });
  t.strictSame(Object.keys(json.faults), FAULT_NAMES);

  t.match(await send('DELETE', '/harbor/frozen'), { status: 200, json: { faults: { frozen: undefined } } });
  t.notOk(harbor.faults.isOn('frozen'));
  t.ok(harbor.faults.isOn('storageHung'));
  await send('DELETE', '/harbor');
  t.strictSame(harbor.faults.active, []);
  t.strictSame((await send('GET', '/gcr')).json.url, gcr.url);
  t.strictSame(switched, [
    ['harbor', 'frozen', true],
    ['harbor', 'storageHung', true],
    ['gcr', 'cut', true],
    ['harbor', 'frozen', false],
    ['harbor', undefined, false],
  ]);
});

t.test('says what is wrong', async (t) => {
  const { harbor, gcr, send, switched } = await start(t);
  const rows: [method: string, path: string, body: string | undefined, status: number, error: RegExp][] = [
    ['POST', '/quay/frozen', undefined, 404, /no registry quay; there are harbor, gcr/],
    ['POST', '/constructor/frozen', undefined, 404, /no registry/],
    ['POST', '/harbor/tired', undefined, 404, /no fault tired; there are down, frozen/],
    ['POST', '/harbor/frozen/x', undefined, 404, /a path is/],
    ['POST', '/harbor/cut', '{', 400, /not JSON/],
    ['POST', '/harbor/cut', '[]', 400, /cut takes path, kind, times, every, bytes, fraction/],
    ['POST', '/harbor/cut', '{"bites":1}', 400, /bites/],
    ['POST', '/harbor/cut', '{"bytes":-1}', 400, /bytes/],
    ['POST', '/harbor/cut', '{"path":"("}', 400, /regular expression/],
    ['POST', '/harbor/errors', '{"status":200}', 400, /status/],
    ['PUT', '/harbor/cut', undefined, 405, /POST switches on/],
    ['POST', '/harbor', undefined, 405, /DELETE/],
    ['POST', '/', undefined, 405, /GET \/ lists/],
    ['POST', '/harbor/errors', JSON.stringify({ body: 'x'.repeat(70_000) }), 413, /at most/],
  ];
  for (const [method, path, body, status, error] of rows)
    t.match(
      await send(method, path, body),
      { status, json: { error } },
      `${method} ${path} ${body?.slice(0, 20) ?? ''}`,
    );
  t.strictSame([...harbor.faults.active, ...gcr.faults.active, ...switched], []);
});

t.test('is not for pages in a browser', async (t) => {
  const { harbor, send } = await start(t);
  t.equal((await send('POST', '/harbor/frozen', undefined, { host: 'evil.example' })).status, 403, 'a rebound name');
  t.equal((await send('POST', '/harbor/frozen', undefined, { origin: 'https://evil.example' })).status, 403);
  t.strictSame(harbor.faults.active, []);
  for (const host of ['localhost:1', '127.0.0.1', '[::1]:9444'])
    t.equal((await send('GET', '/', undefined, { host })).status, 200, host);
});
