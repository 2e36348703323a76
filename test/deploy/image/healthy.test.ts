import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { tryCommand } from '../../helpers/command.ts';

const healthy = join(import.meta.dirname, '../../../deploy/image/healthy');
const ask = (url: string) => tryCommand(healthy, [], { env: { PATH: process.env.PATH, BREAKWATER_HEALTH_URL: url } });

t.test('the health check says what /healthz says, and why not', async (t) => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.host);
    response.writeHead(request.url === '/healthz' ? 200 : 503).end('x\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;

  t.equal((await ask(`http://127.0.0.1:${port}/healthz`)).status, 0);
  t.strictSame(asked, [`127.0.0.1:${port}`], 'under the name that it was asked by');
  t.equal((await ask(`http://localhost:${port}/healthz`)).status, 0, 'by name');
  const rows: [string, RegExp][] = [
    [`http://127.0.0.1:${port}/readyz`, /\/readyz answers HTTP\/1\.1 503/],
    [`http://127.0.0.1:${port}`, /answers HTTP\/1\.1 503/],
    ['http://127.0.0.1:1/healthz', /refused/i],
    ['http://[::1]:1/healthz', /refused|unreachable|assign/i],
    ['https://127.0.0.1:9443/healthz', /expected http:\/\/HOST:PORT\/PATH/],
    ['9443', /expected http:\/\/HOST:PORT\/PATH/],
    ['http://a b:1/', /\S/],
  ];
  for (const [url, expected] of rows) {
    const { status, output } = await ask(url);
    t.equal(status, 1, url);
    t.match(output, expected);
  }
});

t.test('an edge that says nothing is not healthy', async (t) => {
  const server = createServer(() => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { status, output } = await ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}/healthz`);
  t.equal(status, 1);
  t.match(output, /no answer of .* within 2 s/);
});
