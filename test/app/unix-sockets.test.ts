import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import { askAdmin } from '../../src/cli/ask/admin-client.ts';
import { statusText } from '../../src/cli/ask/status-text.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const MANIFEST = '/v2/library/app/manifests/1';

async function ask(socketPath: string, path: string, headers: Record<string, string> = {}) {
  const call = request({ socketPath, path, headers: { host: 'localhost', ...headers }, agent: false }).end();
  const [response] = await once(call, 'response');
  const body = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode, headers: response.headers, body };
}

t.test('the plain and the admin listener on unix sockets', async (t) => {
  const folder = temporaryFolder(t);
  const [plain, admin] = [join(folder, 'plain.sock'), join(folder, 'admin.sock')];
  const listen = { https: '127.0.0.1:0', plain: `unix:${plain}`, admin: `unix:${admin}`, socketMode: '0600' };
  const site = await startLabSite(t, { config: { listen, trustedProxies: ['unix:'] } });
  for (const path of [plain, admin]) t.equal(statSync(path).mode & 0o777, 0o600);
  t.match(await ask(plain, MANIFEST), { status: 200 });
  t.match(await ask(plain, MANIFEST, { 'x-forwarded-for': '203.0.113.9', host: 'edge.test' }), { status: 200 });
  t.match(await site.edge.line(({ status }) => status === 200), { client: 'unix:' });
  t.ok(
    site.edge.requests.some((one) => (one as { client?: string }).client === '203.0.113.9'),
    'a proxy before the socket names its client',
  );
  t.match(await ask(admin, '/readyz'), { status: 200 });
  t.match(await ask(admin, '/api/status', { host: 'evil.test' }), { status: 421 }, 'hosts are checked there too');
  const status = await askAdmin<{ ready: boolean; listeners: Record<string, string> }>(
    { admin: `unix:${admin}` },
    '/api/status',
  );
  t.equal(status.ready, true, 'commands reach it');
  t.match(status.listeners, { plain: `unix:${plain}`, admin: `unix:${admin}`, https: /^127\.0\.0\.1:\d+$/ });
  t.match(
    statusText(status as never, Date.now()),
    new RegExp(`listens: https 127.*, plain unix:${plain}, admin unix:${admin}`),
  );
  await t.rejects(askAdmin({ admin: `unix:${plain}.none` }, '/api/status'), {
    message: /no edge answers at unix:.*ENOENT/,
  });
  await site.edge.app.stop();
  for (const path of [plain, admin]) t.notOk(existsSync(path), `${path} is gone`);
});

t.test('the https listener on a unix socket: the redirect leads to the usual port', async (t) => {
  const path = join(temporaryFolder(t), 'https.sock');
  const listen = { https: `unix:${path}`, http: '127.0.0.1:0', admin: '127.0.0.1:0' };
  const { edge } = await startLabSite(t, { config: { listen } });
  const call = requestTls({
    socketPath: path,
    path: MANIFEST,
    headers: { host: 'edge.test' },
    servername: 'edge.test',
    ca: edge.certificate.ca,
    agent: false,
  }).end();
  const [response] = await once(call, 'response');
  response.resume();
  t.equal(response.statusCode, 200);
  const { port } = edge.app.addresses().http ?? {};
  const plain = request({ host: '127.0.0.1', port, path: '/v2/', headers: { host: 'edge.test' }, agent: false }).end();
  const [redirect] = await once(plain, 'response');
  redirect.resume();
  t.equal(redirect.headers.location, 'https://edge.test/v2/');
});
