import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import t from 'tap';
import { startAdminSite, TOKEN } from './admin-site.ts';

/** What is answered to bytes on a connection, until that ends. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  return Buffer.concat(await socket.toArray()).toString();
}

t.test('a name that leads here is not enough to read anything', async (t) => {
  for (const token of [undefined, TOKEN]) {
    const site = await startAdminSite(t, { token });
    for (const host of ['evil.example', `evil.example:${site.port}`, 'localhost.evil.example', 'user@localhost']) {
      for (const path of ['/', '/metrics', '/api/status', '/login', '/page.js', '/healthz/', '//healthz']) {
        const reply = await site.bearer(path, TOKEN, { headers: { host } });
        t.equal(reply.status, 421, `${host} ${path}`);
      }
    }
  }
});

t.test('the refusal names the key to set', async (t) => {
  const site = await startAdminSite(t);
  const reply = await site.ask('/', { headers: { host: 'edge-a.lan:9443' } });
  t.match(
    JSON.parse(reply.body).errors[0].message,
    'add it to the configuration: listen: { adminHosts: ["edge-a.lan"] }',
  );
  const page = await site.ask('/', { headers: { host: 'edge-a.lan:9443', accept: 'text/html,*/*' } });
  t.match(page.body, /<h1>Unknown host<\/h1>\n<p id="message">.*adminHosts: \[&#34;edge-a.lan&#34;\]/);
  t.match(page.headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-/);
  t.notMatch(page.body, '<form', 'nobody is asked for the token under a name that is not known');
  for (const host of ['<img src=x>', 'a"b', 'x'.repeat(300)]) {
    const odd = await site.ask('/', { headers: { host, accept: 'text/html' } });
    t.equal(odd.status, 421);
    t.notMatch(odd.body, host, 'what is no host is not shown');
  }
});

t.test('probes are answered under every name, and without one', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN });
  for (const path of ['/healthz', '/readyz', '/vipz', '/readyz?verbose'])
    t.equal((await site.ask(path, { headers: { host: '10.1.2.3:9443' } })).status, 200, path);
  t.match(await raw(site.port, 'GET /readyz HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /);
  t.match(await raw(site.port, 'GET /metrics HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 421 /);
  t.match(
    await raw(site.port, 'GET /readyz HTTP/1.1\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 400 /,
    'RFC 9112 3.2',
  );
});

t.test('two hosts, and targets that are no path', async (t) => {
  const { port } = await startAdminSite(t);
  const end = 'Connection: close\r\n\r\n';
  for (const [bytes, status] of [
    [`GET / HTTP/1.1\r\nHost: localhost\r\n${end}`, 200],
    [`GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n${end}`, 400],
    [`GET / HTTP/1.1\r\nHost: evil.example\r\nhost: localhost\r\n${end}`, 400],
    [`GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n${end}`, 400],
    [`GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n${end}`, 400],
    [`OPTIONS * HTTP/1.1\r\nHost: localhost\r\n${end}`, 400],
  ] as const)
    t.match(await raw(port, bytes), new RegExp(`^HTTP/1\\.1 ${status} `), bytes);
});

t.test('each request of a kept connection is looked at', async (t) => {
  const site = await startAdminSite(t);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  for (const [host, status] of [
    ['localhost', 200],
    ['evil.example', 421],
    ['localhost', 200],
  ] as const)
    t.equal((await site.ask('/', { agent, headers: { host } })).status, status, host);
});

t.test('a listener on all addresses knows the one that it was reached by', async (t) => {
  const site = await startAdminSite(t, { token: TOKEN, loopback: false }, { address: '0.0.0.0' });
  const asked = (host: string) => site.bearer('/', TOKEN, { headers: { host } });
  t.equal((await asked(`127.0.0.1:${site.port}`)).status, 200);
  t.equal((await asked('192.0.2.1')).status, 421);
  site.access = { ...site.access, hosts: ['192.0.2.1', 'edge-a.lan'] };
  t.equal((await asked('192.0.2.1')).status, 200, 'a reload takes effect');
  t.equal((await asked('EDGE-A.lan:9443')).status, 200);
});

t.test('every answer says that no other site may have it', async (t) => {
  const site = await startAdminSite(t);
  for (const headers of [{}, { host: 'evil.example' }, { origin: 'http://evil.example' }]) {
    const reply = await site.ask('/', { headers });
    t.match(reply.headers, {
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    });
    t.notOk('access-control-allow-origin' in reply.headers);
  }
  const head = await site.ask('/', { method: 'HEAD' });
  t.match(head, { status: 200, body: '', headers: { 'content-length': '6' } });
});
