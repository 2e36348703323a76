import { randomBytes } from 'node:crypto';
import t from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { madeUp } from '../../../src/lab/seed.ts';
import { PROBE, RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import type { Client } from '../../helpers/http1-client.ts';
import { clientRequests, codeOf, INNER, pushBlob, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { type FrontRule, RegistryFront } from '../../helpers/registry-front.ts';
import { until } from '../../helpers/until.ts';

const UPLOADS = '/v2/team/new/blobs/uploads/';
const begin = async (client: Client, path = UPLOADS): Promise<string> => {
  const reply = await client.ask(path, { method: 'POST' });
  if (reply.status !== 202) throw new Error(`${path}: ${reply.status} ${reply.body}`);
  return String(reply.headers.location);
};

t.test('a session stays with the URL that issued it', async (t) => {
  const site = await startLabSite(t);
  const names = [`127.0.0.1:${site.primary.port}`, `localhost:${site.primary.port}`];
  const harbor = { urls: names.map((name) => `http://${name}`), probe: RARE_PROBE };
  const edge = await startEdgeInProcess(t, {
    upstreams: { harbor },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
  });
  const used = new Set<string | undefined>();
  for (let index = 0; index < 6; index += 1) {
    const client = index % 2 === 0 ? edge.http1() : edge.http2();
    // Turns are taken by request: an odd number of them in each round.
    await client.ask('/v2/library/app/manifests/1');
    site.primary.forget();
    const location = await begin(client);
    const patched = await client.ask(location, { method: 'PATCH', body: 'some' });
    await client.ask(String(patched.headers.location));
    const put = await client.ask(`${patched.headers.location}?digest=${sha256('some')}`, { method: 'PUT' });
    t.equal(put.status, 201);
    const hosts = new Set(clientRequests(site.primary).map(({ headers }) => headers.host));
    t.equal(hosts.size, 1, `all of it by ${[...hosts]}`);
    used.add([...hosts][0]);
  }
  t.strictSame([...used].sort(), names, 'while sessions take turns');
});

t.test('one edge of a pair continues what the other began', async (t) => {
  const key = randomBytes(48);
  const site = await startLabSite(t, { settings: { key } });
  const twin = await startEdgeInProcess(t, site.config, { key });
  const bytes = madeUp(1000, 5);
  const location = await begin(site.edge.http1());
  const patched = await twin.http2().ask(location, { method: 'PATCH', body: bytes });
  t.equal(patched.status, 202);
  const put = await site.edge.http2().ask(`${patched.headers.location}?digest=${sha256(bytes)}`, { method: 'PUT' });
  t.equal(put.status, 201);
  t.ok(site.primary.store.blob(`${INNER}team/new`, sha256(bytes)));
});

t.test('a Location that was not sealed for sessions reaches no upstream', async (t) => {
  const site = await startLabSite(t, {
    settings: { key: randomBytes(32) },
    primary: { downloads: 'redirect' },
    harbor: { probe: RARE_PROBE, redirects: { mode: 'pass' } },
  });
  const stranger = await startEdgeInProcess(t, site.config, { key: randomBytes(32) });
  const nameless = await startEdgeInProcess(t, site.config);
  const client = site.edge.http1();
  const location = await begin(client);
  const token = location.slice(UPLOADS.length);
  const parts = token.split('.');
  const download = String((await client.ask(`/v2/library/app/blobs/${site.blob()}`)).headers.location);
  const flipped = (index: number) =>
    parts
      .map((part, at) => (at === index ? part.slice(0, -2) + (part.at(-2) === 'A' ? 'B' : 'A') + part.at(-1) : part))
      .join('.');
  const forged = [
    token.slice(0, -1),
    token.slice(0, 40),
    `${token}A`,
    flipped(0),
    flipped(2),
    flipped(3),
    flipped(4),
    parts.slice(0, 3).join('.'),
    'a',
    '00000000-0000-4000-8000-000000000000',
    download.slice(download.lastIndexOf('/') + 1),
    (await begin(stranger.http1())).slice(UPLOADS.length),
    (await begin(nameless.http1())).slice(UPLOADS.length),
    'x'.repeat(4096),
    'x'.repeat(4097),
  ];
  site.primary.forget();
  for (const asking of [client, site.edge.http2()]) {
    for (const session of forged) {
      for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
        const body = method === 'PATCH' || method === 'PUT' ? { body: 'x' } : {};
        const reply = await asking.ask(`${UPLOADS + session}?digest=${sha256('x')}`, { method, ...body });
        t.match(
          { status: reply.status, code: codeOf(reply) },
          { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' },
          `${method} ${session.slice(0, 20)}`,
        );
      }
    }
    const elsewhere = await asking.ask(`/v2/team/other/blobs/uploads/${token}`, { method: 'PATCH', body: 'x' });
    t.equal(codeOf(elsewhere), 'BLOB_UPLOAD_UNKNOWN', 'a session of another repository');
  }
  t.strictSame(
    clientRequests(site.primary).map(({ method, url }) => `${method} ${url}`),
    [],
  );
  t.equal((await client.ask(location)).status, 204, 'while the real one lives');
});

t.test('uploads outside of /v2/, as Artifact Registry has them', async (t) => {
  const site = await startLabSite(t, { primary: { uploads: 'artifact-registry' } });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const bytes = madeUp(50_000, 6);
    const put = await pushBlob(client, 'team/new', bytes);
    t.match(put, { status: 201, headers: { location: `/v2/team/new/blobs/${sha256(bytes)}` } }, 'POST and PUT');
    const location = await begin(client);
    t.ok(location.startsWith(UPLOADS), 'below the repository');
    const patched = await client.ask(location, { method: 'PATCH', body: bytes });
    t.equal(site.leak(patched), undefined);
    const done = await client.ask(`${patched.headers.location}?digest=${sha256(bytes)}`, { method: 'PUT' });
    t.equal(done.status, 201, 'POST, one PATCH, PUT');
    const chunk = await client.ask(await begin(client), {
      method: 'PATCH',
      body: 'ab',
      headers: { 'content-range': '0-1' },
    });
    t.equal(chunk.status, 405, 'its refusal of chunks is relayed');
  }
  const outside = site.primary.requests.filter(({ url }) => url.startsWith('/artifacts-uploads/'));
  t.ok(outside.length > 0);
  t.equal((await site.edge.http1().ask(outside[0]?.url ?? '')).status, 404, 'the path itself leads nowhere');
});

t.test('a mount from another upstream, or from anywhere, becomes an ordinary upload', async (t) => {
  const site = await startLabSite(t);
  const [harbor, gcr] = [site.primary, site.fallback].map(({ url }) => ({ urls: [url], probe: RARE_PROBE }));
  const edge = await startEdgeInProcess(t, {
    upstreams: { harbor, gcr },
    routes: [
      { prefix: 'team/', push: 'harbor', pull: [{ upstream: 'harbor', prefix: 'inner/team/' }] },
      { prefix: 'cloud/', pull: [{ upstream: 'gcr', prefix: 'cloud-project/' }] },
    ],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const from of ['cloud/library/app', 'nowhere/app']) {
      site.primary.forget();
      const reply = await client.ask(`${UPLOADS}?mount=${site.blob()}&from=${from}`, { method: 'POST' });
      t.match(reply, { status: 202, headers: { location: /^\/v2\/team\/new\/blobs\/uploads\// } }, from);
      t.equal(clientRequests(site.primary).at(-1)?.url, '/v2/inner/team/new/blobs/uploads/', 'without the mount');
    }
    for (const query of [`mount=${site.blob()}`, `mount=${site.blob()}&mount=${site.blob()}`, 'from=team/app']) {
      const reply = await client.ask(`${UPLOADS}?${query}`, { method: 'POST' });
      t.match(reply, { status: 202 }, query);
      t.equal(clientRequests(site.primary).at(-1)?.url, '/v2/inner/team/new/blobs/uploads/', 'without a repository');
    }
    const twice = `mount=${site.blob()}&from=team/app&from=cloud/library/app&mount=${sha256('x')}`;
    await client.ask(`${UPLOADS}?${twice}`, { method: 'POST' });
    const sent = new URL(clientRequests(site.primary).at(-1)?.url ?? '', 'http://primary').searchParams;
    t.strictSame(
      [...sent],
      [
        ['mount', site.blob()],
        ['from', 'inner/team/app'],
      ],
      'what was checked, and nothing else',
    );
  }
});

t.test('a replica that dies in the middle of an upload: another one finishes it', async (t) => {
  const registry = await startLabRegistry();
  t.teardown(() => registry.close());
  registry.seed('library/app', '1', { blobs: [10] });
  // Two replicas of one storage, the second one below a path.
  let began = -1;
  const fronts = await Promise.all(
    [0, 1].map((index) => {
      const rule: FrontRule = async (request) => {
        if (request.method === 'POST') began = index;
        request.url = request.url?.replace(/^\/base(?=\/)/, '');
        return 'pass';
      };
      return new RegistryFront(t, rule).listen();
    }),
  );
  for (const front of fronts) front.before(`127.0.0.1:${registry.port}`);
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      harbor: {
        urls: fronts.map(({ address }, index) => `http://${address}${index === 1 ? '/base' : ''}`),
        probe: PROBE,
      },
    },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
  });
  for (const [index, front] of fronts.entries()) {
    await edge.upstream('harbor', 'up');
    const client = edge.http1();
    const bytes = randomBytes(3000);
    let location = '';
    // Uploads begin at each replica in turn.
    do location = await begin(client);
    while (began !== index);
    const taken = await client.ask(location, { method: 'PATCH', body: bytes.subarray(0, 1000) });
    t.equal(taken.status, 202);
    await front.set('down');
    const failed = await client.ask(String(taken.headers.location), { method: 'PATCH', body: bytes.subarray(1000) });
    t.equal(failed.status, 503, 'the request that meets its death may be tried again');
    t.match(failed.body.toString(), /one server of harbor cannot be reached .*, and another one answers; push again/);
    const found = await client.ask(String(taken.headers.location));
    t.match(found, { status: 204, headers: { range: '0-999' } }, 'the next one finds what was taken');
    const rest = await client.ask(String(found.headers.location), { method: 'PATCH', body: bytes.subarray(1000) });
    t.equal(rest.status, 202);
    const put = await client.ask(`${rest.headers.location}?digest=${sha256(bytes)}`, { method: 'PUT' });
    t.equal(put.status, 201);
    t.ok(registry.store.blob('team/new', sha256(bytes)), 'it is there, and nothing was sent twice');
    await front.set('well');
    await until(() => edge.app.status().upstreams[0]?.urls.every(({ state }) => state === 'up'));
  }
});

t.test('long headers of an upstream, and a long Location', async (t) => {
  const asked: string[] = [];
  const long = `/v2/team/new/blobs/uploads/1?_state=${'s'.repeat(8192 - 36)}`;
  const odd = await startOddServer(t, (socket, head) => {
    const [method = '', path = ''] = head.split(' ');
    asked.push(path);
    const status = method === 'PUT' ? '201 Created' : method === 'GET' ? '404 Not Found' : '202 Accepted';
    const fields = Array.from({ length: 50 }, (_, index) => `Set-Cookie: c${index}=${'x'.repeat(1000)}\r\n`).join('');
    socket.write(`HTTP/1.1 ${status}\r\nLocation: ${long}\r\n${fields}Content-Length: 0\r\n\r\n`);
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
  });
  t.equal(long.length, 8192);
  for (const client of [edge.http1(), edge.http2()]) {
    const location = await begin(client);
    const put = await client.ask(`${location}?digest=${sha256('')}`, { method: 'PUT' });
    t.equal(put.status, 201, `${client.version}, a Location of ${location.length} bytes`);
    t.equal(asked.at(-1), `${long}&digest=${encodeURIComponent(sha256(''))}`);
    const pulled = await client.ask('/v2/team/new/manifests/1');
    t.equal(pulled.status, 404, 'a read');
  }
});

t.test('a session asked for by ns= goes on with what Location says', async (t) => {
  const site = await startLabSite(t);
  const harbor = { urls: [site.primary.url], probe: RARE_PROBE };
  const edge = await startEdgeInProcess(t, {
    upstreams: { harbor },
    routes: [{ prefix: '', registry: 'docker.io', push: 'harbor', pull: [{ upstream: 'harbor', prefix: 'hub/' }] }],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    const location = await begin(client, `${UPLOADS}?ns=docker.io`);
    const patched = await client.ask(location, { method: 'PATCH', body: 'some' });
    t.equal(patched.status, 202);
    const url = new URL(String(patched.headers.location), 'https://edge.test');
    url.searchParams.set('digest', sha256('some'));
    const put = await client.ask(url.pathname + url.search, { method: 'PUT' });
    t.equal(put.status, 201);
    t.match(
      await client.ask(String(put.headers.location)),
      { status: 200, body: Buffer.from('some') },
      'and so does the last one',
    );
  }
  t.ok(site.primary.store.blob('hub/team/new', sha256('some')));
});

t.test('a relative Location counts from the request', async (t) => {
  const table: [location: string, path: string][] = [
    ['1?_state=a', '/base/v2/team/new/blobs/uploads/1?_state=a'],
    ['?_state=a', '/base/v2/team/new/blobs/uploads/?_state=a'],
    ['./1', '/base/v2/team/new/blobs/uploads/1'],
    ['../1', '/base/v2/team/new/blobs/1'],
    ['/base/v2/team/new/blobs/uploads/1', '/base/v2/team/new/blobs/uploads/1'],
    ['/sessions/1', '/sessions/1'],
  ];
  for (const [location, path] of table) {
    const odd = await startOddServer(t, (socket, head) => {
      const [method, asked = ''] = head.split(' ');
      const status = method === 'POST' ? '202 Accepted' : '201 Created';
      const at = method === 'POST' ? location : '/base/v2/x';
      socket.write(`HTTP/1.1 ${status}\r\nLocation: ${at}\r\nX-Path: ${asked}\r\nContent-Length: 0\r\n\r\n`);
    });
    const edge = await startEdgeInProcess(t, {
      upstreams: { odd: { urls: [`${odd.url}/base/`], probe: RARE_PROBE } },
      routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
    });
    const client = edge.http1();
    const put = await client.ask(`${await begin(client)}?digest=${sha256('')}`, { method: 'PUT' });
    const separator = path.includes('?') ? '&' : '?';
    t.equal(put.headers['x-path'], `${path}${separator}digest=${encodeURIComponent(sha256(''))}`, location);
  }
});

t.test('below the path of the upstream’s URL', async (t) => {
  const odd = await startOddServer(t, (socket, head) => {
    const [method = '', path = ''] = head.split(' ');
    const location = method === 'POST' ? '/base/v2/team/new/blobs/uploads/1?_state=s%2Ft&a=b' : '/base/v2/x';
    const status = method === 'POST' ? '202 Accepted' : '201 Created';
    socket.write(`HTTP/1.1 ${status}\r\nLocation: ${location}\r\nX-Path: ${path}\r\nContent-Length: 0\r\n\r\n`);
  });
  const urls = [`${odd.url}/base/`];
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls, probe: RARE_PROBE } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
  });
  const location = await begin(edge.http1());
  const put = await edge.http1().ask(`${location}?digest=${sha256('')}`, { method: 'PUT' });
  t.equal(
    put.headers['x-path'],
    `/base/v2/team/new/blobs/uploads/1?_state=s%2Ft&a=b&digest=${encodeURIComponent(sha256(''))}`,
  );
  t.equal(put.headers.location, `/v2/team/new/blobs/${sha256('')}`);
});
