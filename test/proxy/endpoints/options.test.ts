import bcrypt from 'bcrypt';
import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { sha256, startLabSite } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';

const UI = 'https://ui.example.io';
const MANIFEST = '/v2/library/app/manifests/1';
const PATHS = [
  '/v2/',
  '/v2/_catalog',
  MANIFEST,
  `/v2/library/app/blobs/${sha256('x')}`,
  '/v2/library/app/tags/list',
  '/v2/library/app/blobs/uploads/',
];

t.test('OPTIONS goes to the upstream', async (t) => {
  const answer =
    'HTTP/1.1 200 OK\r\nAllow: GET, HEAD, PUT\r\nAccess-Control-Allow-Origin: *\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n';
  const upstream = await startOddServer(t, (socket) => socket.write(answer));
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [upstream.url], probe: RARE_PROBE, credentials: 'forward' } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd', prefix: 'inner/' }] }],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const path of PATHS) {
      upstream.heads.length = 0;
      const reply = await client.ask(path, { method: 'OPTIONS', headers: { origin: UI, authorization: 'Bearer x' } });
      const says = `${client.version} ${path}`;
      t.match(reply, { status: 200, headers: { allow: 'GET, HEAD, PUT', 'x-breakwater-upstream': 'odd' } }, says);
      t.match(
        reply.headers,
        { 'access-control-allow-origin': undefined, 'set-cookie': undefined },
        'what acts on browsers',
      );
      const inner = path.replace('/v2/library', '/v2/inner/library');
      t.ok(upstream.heads[0]?.startsWith(`OPTIONS ${inner} HTTP/1.1\r\n`), `${upstream.heads[0]?.split('\r')[0]}`);
      t.match(upstream.heads[0], /authorization: Bearer x/i);
      t.equal(upstream.heads.length, 1);
    }
    t.equal((await client.ask('/v2/library/app/blobs/uploads/x', { method: 'OPTIONS' })).status, 405, 'a session');
  }
});

t.test('an upstream that does not answer it', async (t) => {
  const site = await startLabSite(t, { harbor: { probe: RARE_PROBE } });
  await site.primary.faults.on('down');
  const reply = await site.edge.http1().ask(MANIFEST, { method: 'OPTIONS' });
  t.equal(reply.status, 503);
  t.equal(
    site.fallback.requests.some(({ method }) => method === 'OPTIONS'),
    false,
    'no other is asked',
  );
  const slow = await startLabSite(t, { harbor: { probe: RARE_PROBE, deadlines: { manifest: '300ms' } } });
  await slow.primary.faults.on('frozen', { kind: 'manifest' });
  const late = await slow.edge.http1().ask(MANIFEST, { method: 'OPTIONS' });
  t.equal(late.status, 503);
  t.match(late.body.toString(), /harbor could not answer \(first-byte\)/);
});

t.test('with auth, OPTIONS needs what a pull needs, but for what a browser asks first', async (t) => {
  const auth = { mode: 'htpasswd', htpasswdFile: 'users', access: {} };
  const settings = { settings: { users: { ann: await bcrypt.hash('Tr0ub4dor&3', 4) } } };
  const site = await startLabSite(t, { config: { auth }, ...settings });
  t.equal((await site.edge.http1().ask(MANIFEST, { method: 'OPTIONS' })).status, 401);
  t.equal(
    site.primary.requests.some(({ method }) => method === 'OPTIONS'),
    false,
  );
  const open = await startLabSite(t, { config: { auth, cors: { origins: [UI] } }, ...settings });
  const headers = { origin: UI };
  t.equal((await open.edge.http1().ask(MANIFEST, { method: 'OPTIONS', headers })).status, 204);
  const refused = await open.edge.http1().ask(MANIFEST, { headers });
  t.match(refused, { status: 401, headers: { 'access-control-allow-origin': UI } }, 'a script can read the challenge');
  t.match(refused.headers['access-control-expose-headers'], /WWW-Authenticate/);
});

t.test('origins that are none', async (t) => {
  for (const origin of [
    'ui.example.io',
    `${UI}/`,
    'https://UI.example.io',
    'null',
    'https://*.example.io',
    `${UI}:443`,
  ])
    await t.rejects(startLabSite(t, { config: { cors: { origins: [origin] } } }), /an origin such as/, origin);
});

for (const [origins, allowed] of [
  [[UI], UI],
  [['*'], '*'],
] as const) {
  t.test(`cors.origins: ${origins}`, async (t) => {
    const site = await startLabSite(t, { config: { cors: { origins } } });
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      const ask = (path: string, method: string, origin = UI) => client.ask(path, { method, headers: { origin } });
      site.primary.forget();
      for (const path of [...PATHS, '/v2/library/app/blobs/uploads/x', '/auth/token', '/auth/token/abc']) {
        const reply = await ask(path, 'OPTIONS');
        t.match(
          reply,
          { status: 204, headers: { 'access-control-allow-origin': allowed, 'access-control-max-age': '600' } },
          path,
        );
        t.match(reply.headers['access-control-allow-headers'], /Authorization/);
        t.match(reply.headers['access-control-allow-methods'], /HEAD.*DELETE/);
        t.equal(reply.headers['access-control-allow-credentials'], undefined);
      }
      t.equal(
        site.primary.requests.some(({ method }) => method === 'OPTIONS'),
        false,
        'the edge answers',
      );
      const pulled = await ask(MANIFEST, 'GET');
      t.match(pulled, { status: 200, headers: { 'access-control-allow-origin': allowed } });
      t.match(pulled.headers['access-control-expose-headers'], /Docker-Content-Digest/);
      t.equal(
        (await ask('/v2/library/app/manifests/none', 'GET')).headers['access-control-allow-origin'],
        allowed,
        'an error',
      );
      if (allowed === '*') continue;
      for (const origin of ['https://evil.example.io', `${UI}.evil.io`, 'null', `${UI}:8443`]) {
        const other = await ask(MANIFEST, 'OPTIONS', origin);
        t.match(other, { status: 204, headers: { vary: /Origin/, 'access-control-allow-origin': undefined } }, origin);
        t.match((await ask(MANIFEST, 'GET', origin)).headers, {
          vary: /Origin/,
          'access-control-allow-origin': undefined,
        });
      }
    }
  });
}
