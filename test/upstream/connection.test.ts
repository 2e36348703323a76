import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import type { Secrets } from '../../src/config/material.ts';
import { configSchema } from '../../src/config/schema.ts';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { readBody } from '../../src/upstream/body/read-body.ts';
import { Connection } from '../../src/upstream/connection.ts';
import { BufferPool } from '../../src/upstream/reader/buffer-pool.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import { UpstreamError } from '../../src/upstream/upstream-error.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { scaleUpstream } from '../helpers/upstream-times.ts';

const upstreamSchema = configSchema.shape.upstreams.valueType;
/** A service account key as it comes from the console: several lines, quotes, and what base64 would mistake for padding. */
const KEY = `${JSON.stringify({ type: 'service_account', private_key: '-----BEGIN-----\nMIIE==\n-----END-----\n' }, null, 2)}\n`;
const USER = { username: '_json_key', passwordFile: 'key.json' };

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
}

async function serve(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => unknown) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { seen, port, url: `http://127.0.0.1:${port}` };
}

function connect(t: Test, url: string, given: object = {}, secrets: Secrets = {}): Connection {
  const config = upstreamSchema.parse(scaleUpstream({ urls: [url], ...given }));
  const connection = new Connection(url, config, secrets, { resolver: new Resolver(), pool: new BufferPool() });
  t.teardown(() => connection.close());
  return connection;
}

const call = (
  path: string,
  given: { signal?: AbortSignal; clientAuthorization?: string; redirects?: 'follow' | 'pass'; method?: string } = {},
) => ({
  method: 'GET',
  path,
  headers: { accept: 'a/b', range: 'bytes=1-2' },
  scopes: ['repository:library/app:pull'],
  signal: AbortSignal.timeout(timeLimit(5000)),
  redirects: 'follow' as const,
  ...given,
});

t.test('a base path stands before every path', async (t) => {
  const { url, seen } = await serve(t, (_, response) => response.end('hello'));
  for (const base of ['', '/', '/registry', '/registry/', '/a/b//']) {
    const { body } = await connect(t, url + base).send(call('/v2/library/app/tags/list?n=1'));
    await body.dump();
  }
  const path = '/v2/library/app/tags/list?n=1';
  t.same(
    seen.map((one) => one.url),
    [path, path, `/registry${path}`, `/registry${path}`, `/a/b${path}`],
  );
  t.equal(seen[0]?.headers.accept, 'a/b');
});

t.test('redirects: followed over several hops, credentials only on the first', async (t) => {
  const storage = await serve(t, (request, response) => {
    if (request.url === '/first') return response.writeHead(307, { location: '/second?sig=x' }).end();
    return response.end('bytes');
  });
  const registry = await serve(t, (request, response) => {
    if (request.url === '/elsewhere')
      return response.writeHead(302, { location: `http://localhost:${storage.port}/first` }).end();
    return response.writeHead(302, { location: '/elsewhere' }).end();
  });
  const connection = connect(t, registry.url, { credentials: 'forward', redirects: { hosts: ['LocalHost'] } });
  const answer = await connection.send(call('/v2/x', { clientAuthorization: 'Bearer client' }));
  t.match(answer, { status: 200, redirected: true });
  t.equal(answer.url.href, `http://localhost:${storage.port}/second?sig=x`);
  t.equal((await readBody(answer.body, 100)).toString(), 'bytes');
  const all = [...registry.seen, ...storage.seen];
  t.same(
    all.map((one) => one.url),
    ['/v2/x', '/elsewhere', '/first', '/second?sig=x'],
  );
  t.same(
    all.map((one) => one.headers.authorization),
    ['Bearer client', undefined, undefined, undefined],
  );
  t.ok(
    all.every((one) => one.headers.range === 'bytes=1-2'),
    'the range goes along',
  );
});

t.test("redirects: back to the upstream's own host is allowed from storage, too", async (t) => {
  const storage = await serve(t, (_, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${registry.port}/done` }).end(),
  );
  const registry = await serve(t, (request, response) => {
    if (request.url === '/done') return response.end('ok');
    return response.writeHead(302, { location: `http://localhost:${storage.port}/x` }).end();
  });
  const answer = await connect(t, registry.url, { redirects: { hosts: ['localhost'] } }).send(call('/v2/x'));
  await answer.body.dump();
  t.equal(answer.status, 200);
});

t.test('redirects that are not followed', async (t) => {
  const { url, seen } = await serve(t, (request, response) => {
    const location =
      request.url === '/v2/loop' ? '/v2/loop' : request.url === '/v2/none' ? undefined : 'http://localhost:1/x';
    response.writeHead(302, location === undefined ? {} : { location }).end();
  });
  const connection = connect(t, url);
  await t.rejects(connection.send(call('/v2/loop')), { reason: 'redirect-loop', message: /more than 5/ });
  t.equal(seen.length, 6, 'five were followed');
  await t.rejects(connection.send(call('/v2/none')), { reason: 'malformed', message: /Location/ });
  await t.rejects(connection.send(call('/v2/away')), { reason: 'redirect-host', message: /localhost/ });
  const passed = await connection.send(call('/v2/away', { redirects: 'pass' }));
  await passed.body.dump();
  t.match(passed, { status: 302, redirected: false });
  t.equal(passed.headers.get('location'), 'http://localhost:1/x');
});

t.test("forward: the client's own credentials and no others, its 401 relayed", async (t) => {
  const { url, seen } = await serve(t, (_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' }).end(),
  );
  const connection = connect(t, url, { credentials: 'forward' }, { password: 'unused' });
  for (const clientAuthorization of ['Basic mine', undefined]) {
    const answer = await connection.send(call('/v2/x', clientAuthorization ? { clientAuthorization } : {}));
    await answer.body.dump();
    t.equal(answer.status, 401);
  }
  t.same(
    seen.map((one) => one.headers.authorization),
    ['Basic mine', undefined],
    'and no token is asked for',
  );
  t.equal(await connection.authorizationForWrite([], 'Basic mine', AbortSignal.timeout(timeLimit(1000))), 'Basic mine');
});

t.test('_json_key with a whole key file: Basic, and for tokens', async (t) => {
  const users = [{ username: '_json_key', password: KEY }];
  for (const scheme of ['basic', 'bearer'] as const) {
    const registry = await startLabRegistry({ auth: { scheme, users } });
    t.teardown(() => registry.close());
    registry.seed('library/app', '1', { blobs: [10] });
    const connection = connect(t, registry.url, { credentials: USER }, { password: KEY });
    for (let count = 0; count < 3; count += 1) {
      const answer = await connection.send({ ...call('/v2/library/app/manifests/1'), headers: {} });
      await answer.body.dump();
      t.equal(answer.status, 200, scheme);
    }
    const requests = registry.requests.map((one) => `${one.kind} ${one.status}`);
    const expected = ['manifest 401', ...(scheme === 'bearer' ? ['token 200'] : []), ...Array(3).fill('manifest 200')];
    t.same(requests, expected, 'asked how once, and for one token');
  }
});

t.test('a token that is not good any more is dropped, and another one asked for', async (t) => {
  let good = 1;
  let given = 0;
  const { url, seen } = await serve(t, (request, response) => {
    if (request.url?.startsWith('/token')) {
      given += 1;
      return response.end(JSON.stringify({ token: `t${given}`, expires_in: 3600 }));
    }
    if (request.headers.authorization === `Bearer t${good}`) return response.end('ok');
    return response
      .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="s"` })
      .end();
  });
  const connection = connect(t, url, { credentials: 'none' });
  const status = async () => {
    const answer = await connection.send(call('/v2/x'));
    await answer.body.dump();
    return answer.status;
  };
  t.equal(await status(), 200);
  good = 2;
  t.same(await Promise.all([status(), status(), status()]), [200, 200, 200], 'all that met the refusal at once');
  t.equal(given, 2);
  t.match(seen[1], { url: '/token?service=s&scope=repository%3Alibrary%2Fapp%3Apull' });
  t.equal(seen[1]?.headers.authorization, undefined, 'anonymous');
  good = 9;
  t.equal(await status(), 401, 'refused again: that is the answer');
  t.equal(given, 3, 'after one more try');
});

t.test('token services that do not work, and what is said of them', async (t) => {
  const rows: [string, (response: ServerResponse) => unknown, string][] = [
    ['401', (response) => response.writeHead(401).end('hunter2'), 'credentials'],
    ['429', (response) => response.writeHead(429).end(), 'rate-limited'],
    ['500', (response) => response.writeHead(500).end(), 'status-5xx'],
    ['302', (response) => response.writeHead(302, { location: 'http://localhost:1/' }).end(), 'credentials'],
    ['no JSON', (response) => response.end('<html>'), 'malformed'],
    ['null', (response) => response.end('null'), 'malformed'],
    ['no token in it', (response) => response.end('{"token":""}'), 'malformed'],
    ['a token that would split the header', (response) => response.end('{"token":"a\\r\\nx: y"}'), 'malformed'],
    ['too long', (response) => response.end(`{"token":"${'a'.repeat(300_000)}"}`), 'too-large'],
    ['cut', (response) => response.destroy(), 'short'],
    ['silent', () => undefined, 'first-byte'],
    [
      'silent after its headers',
      (response) => response.writeHead(200, { 'content-length': 10 }).flushHeaders(),
      'first-byte',
    ],
  ];
  for (const [name, answer, reason] of rows) {
    const { url } = await serve(t, (request, response) => {
      if (request.url?.startsWith('/token')) return answer(response);
      return response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token?secret=hunter2"` })
        .end();
    });
    const connection = connect(
      t,
      url,
      { credentials: USER, deadlines: { manifest: '150ms', push: '150ms' } },
      { password: 'hunter2' },
    );
    const error = await connection.send(call('/v2/x')).catch((thrown: unknown) => thrown);
    t.ok(error instanceof UpstreamError, name);
    if (!(error instanceof UpstreamError)) continue;
    t.equal(error.reason, reason, name);
    t.notMatch(error.message, /hunter2|aHVudGVyMg/, `${name}: no secret in the message`);
  }
});

t.test('a hung token service holds nobody beyond his own deadline', async (t) => {
  const { url } = await serve(t, (request, response) => {
    if (request.url?.startsWith('/token')) return undefined;
    return response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
  });
  const connection = connect(t, url, { credentials: 'none', deadlines: { manifest: '1h' } });
  const mine = new Error('my time is over');
  const stop = new AbortController();
  const first = connection.send(call('/v2/x', { signal: stop.signal }));
  const second = t.rejects(connection.send(call('/v2/x', { signal: AbortSignal.timeout(100) })), {
    name: 'TimeoutError',
  });
  await second;
  stop.abort(mine);
  await t.rejects(first, mine);
  await t.rejects(connection.authorizationForWrite(['x'], undefined, AbortSignal.timeout(50)), {
    name: 'TimeoutError',
  });
});

t.test('a realm on another host: refused for a user, unless it is named; http refused', async (t) => {
  const service = await serve(t, (_, response) => response.end(JSON.stringify({ access_token: 'good' })));
  const registry = await serve(t, (request, response) => {
    if (request.headers.authorization === 'Bearer good') return response.end('ok');
    return response
      .writeHead(401, { 'www-authenticate': `Bearer realm="http://localhost:${service.port}/token"` })
      .end();
  });
  const refused = connect(t, registry.url, { credentials: USER }, { password: KEY });
  await t.rejects(refused.send(call('/v2/x')), { reason: 'credentials', message: /realmHosts does not name/ });
  t.equal(service.seen.length, 0, 'the password has not left');
  const named = connect(t, registry.url, { credentials: { ...USER, realmHosts: ['localhost'] } }, { password: KEY });
  const answer = await named.send(call('/v2/x'));
  await answer.body.dump();
  t.equal(answer.status, 200);
  const [, basic = ''] = service.seen[0]?.headers.authorization?.split(' ') ?? [];
  t.equal(Buffer.from(basic, 'base64').toString(), `_json_key:${KEY}`);
});

t.test('a version check for which there is nobody to ask is answered as it is', async (t) => {
  const { url, seen } = await serve(t, (_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' }).end(),
  );
  const answer = await connect(t, url, { credentials: 'forward' }).sendProbe({ ...call('/v2/'), scopes: [] });
  await answer.body.dump();
  t.equal(answer.status, 401);
  t.equal(seen.length, 1);
});

t.test("Harbor's API gets the user of the probe itself", async (t) => {
  const { url, seen } = await serve(t, (_, response) => response.end('{}'));
  const probe = { credentials: { username: 'robot$probe', passwordFile: 'x' } };
  const connection = connect(t, url, { probe }, { probePassword: 'pw' });
  await (await connection.sendApi(call('/api/v2.0/systeminfo'))).body.dump();
  t.equal(seen[0]?.headers.authorization, `Basic ${Buffer.from('robot$probe:pw').toString('base64')}`);
  await (await connection.send(call('/v2/x'))).body.dump();
  t.equal(seen[1]?.headers.authorization, undefined, 'and nobody else does');
});
