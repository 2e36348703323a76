import bcrypt from 'bcrypt';
import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { ANN, BEARER, FORWARD, KEY } from '../../helpers/forward-site.ts';
import { CLOUD, sha256, startLabSite } from '../../helpers/lab-site.ts';
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

const isOptions = ({ method }: { method: string }) => method === 'OPTIONS';

t.test('OPTIONS passes a challenge on only from an upstream that takes the credentials of clients', async (t) => {
  for (const credentials of ['none', { username: '_json_key', passwordFile: 'x' }] as const) {
    const site = await startLabSite(t, {
      // The account is good, and may not read the repository.
      fallback: { auth: { ...BEARER, users: [{ username: '_json_key', password: KEY, repositories: ['canary'] }] } },
      harbor: { credentials: 'forward' },
      gcr: { credentials },
      settings: { secrets: { gcr: { password: KEY } } },
      route: { pull: [{ upstream: 'gcr', prefix: CLOUD }] },
    });
    for (const client of [site.edge.http1(), site.edge.http2()]) {
      const says = `${client.version}, credentials ${JSON.stringify(credentials)}`;
      const reply = await client.ask(MANIFEST, { method: 'OPTIONS' });
      t.match(reply, { status: 503, headers: { 'www-authenticate': undefined, 'retry-after': /\d/ } }, says);
      t.match(reply.body.toString(), /gcr could not answer \(credentials\)/, says);
    }
    t.match(site.edge.requests.at(-1)?.attempts, [{ upstream: 'gcr', outcome: 'failed', reason: 'credentials' }]);
    if (credentials === 'none') continue;
    const { credentials: told } = site.edge.app.status().upstreams.find(({ name }) => name === 'gcr') ?? {};
    t.match(told, { state: 'refused', reason: /to OPTIONS$/ }, 'the status tells it');
  }
});

t.test('while the upstream that decides what a client may see is down, no other answers OPTIONS', async (t) => {
  const site = await startLabSite(t, FORWARD);
  const client = site.edge.http1();
  await site.primary.faults.on('down');
  await site.edge.upstream('harbor', 'down');
  const hidden = await client.ask(MANIFEST, { method: 'OPTIONS', headers: { authorization: ANN } });
  t.match(hidden, { status: 503, headers: { 'x-breakwater-upstream': undefined } });
  t.match(hidden.body.toString(), /no other upstream may answer before harbor has shown the repository/);
  t.equal(site.fallback.requests.some(isOptions), false);
  await client.ask('/v2/', { method: 'OPTIONS' });
  t.equal(site.fallback.requests.some(isOptions), true, 'a path of no repository shows none');
});

t.test('what is no answer to OPTIONS', async (t) => {
  let status = '';
  const odd = await startOddServer(
    t,
    (socket, head) => head.startsWith('OPTIONS') && socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`),
  );
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, credentials: 'forward' } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
  });
  for (const [answer, gets, attempt] of [
    ['500 Oops', 503, { outcome: 'failed', reason: 'status-5xx' }],
    ['302 Found\r\nLocation: https://login.example.io/', 503, { outcome: 'failed', reason: 'malformed' }],
    ['401 Unauthorized', 503, { outcome: 'failed', reason: 'authority-dead' }],
    ['401 Unauthorized\r\nWWW-Authenticate: Basic realm="odd"', 401, { outcome: 'served' }],
    ['403 Forbidden', 403, { outcome: 'served' }],
    ['404 Not Found', 404, { outcome: 'served' }],
    ['405 Method Not Allowed\r\nAllow: GET', 405, { outcome: 'served' }],
    ...Array.from({ length: 6 }, () => ['501 Not Implemented', 501, { outcome: 'served' }] as const),
    ['204 No Content', 204, { outcome: 'served' }],
    ['429 Too Many\r\nRetry-After: 7', 429, { outcome: 'failed', reason: 'rate-limited' }],
  ] as const) {
    status = answer;
    const reply = await edge.http1().ask(MANIFEST, { method: 'OPTIONS' });
    t.equal(reply.status, gets, answer);
    if (gets === 429) t.equal(reply.headers['retry-after'], '7');
    t.match(edge.requests.at(-1)?.attempts, [attempt], answer);
  }
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
