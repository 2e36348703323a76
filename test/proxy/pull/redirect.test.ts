import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { LabAuth } from '../../../src/lab/access.ts';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { madeUp } from '../../../src/lab/seed.ts';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import {
  codeOf,
  IMAGE,
  INNER,
  type LabSite,
  type LabSiteOptions,
  sha256,
  startLabSite,
} from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';

const AUTH: LabAuth = { scheme: 'basic', users: [{ username: 'robot', password: 'right' }] };
const blobPath = ({ image }: LabSite) => `/v2/library/app/blobs/${image.blobDigests[0]}`;

function redirecting(mode: 'follow' | 'pass', more: LabSiteOptions = {}, hosts: string[] = []): LabSiteOptions {
  return {
    ...more,
    primary: { downloads: 'redirect', auth: AUTH, ...more.primary },
    harbor: { probe: RARE_PROBE, credentials: { username: 'robot', passwordFile: 'x' }, redirects: { mode, hosts } },
    settings: { secrets: { harbor: { password: 'right' } }, ...more.settings },
  };
}

t.test('followed on the same host, without the credentials', async (t) => {
  const site = await startLabSite(t, redirecting('follow'));
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    site.primary.forget();
    const reply = await client.ask(blobPath(site));
    t.match(reply, {
      status: 200,
      complete: true,
      headers: { 'docker-content-digest': site.blob(), 'content-length': '300000', 'x-breakwater-upstream': 'harbor' },
    });
    t.equal(sha256(reply.body), site.blob());
    t.equal(site.leak(reply), undefined);
    const first = site.primary.requests.findLast(({ kind }) => kind === 'blob');
    const second = site.primary.requests.find(({ kind }) => kind === 'download');
    t.ok(first?.headers.authorization?.startsWith('Basic '), 'the registry gets the credentials');
    t.match(second, { kind: 'download', headers: { authorization: undefined } }, 'the storage is not');
    const part = await client.ask(blobPath(site), { headers: { range: 'bytes=100-199' } });
    t.match(part, { status: 206, body: madeUp(300_000, 0).subarray(100, 200) }, 'a range reaches the storage');
  }
});

t.test('followed to a host that the configuration names, and to no other', async (t) => {
  const storage = await startLabRegistry();
  t.teardown(() => storage.close());
  storage.seed('any', '1', IMAGE);
  storage.seed('any', '2', { blobs: [64] });
  const primary = { redirectTo: `http://localhost:${storage.port}` };
  const allowed = await startLabSite(t, redirecting('follow', { primary }, ['localhost']));
  t.match(await allowed.edge.http1().ask(blobPath(allowed)), {
    status: 200,
    headers: { 'x-breakwater-upstream': 'harbor', 'docker-content-digest': allowed.blob() },
  });
  t.match(storage.requests.at(-1)?.headers, { authorization: undefined, cookie: undefined });
  storage.forget();
  const foreign = await startLabSite(t, redirecting('follow', { primary, canary: false }));
  t.match(await foreign.edge.http1().ask(blobPath(foreign)), {
    status: 200,
    headers: { 'x-breakwater-upstream': 'gcr', warning: /redirect-host/ },
  });
  t.equal(storage.requests.length, 0, 'the host that is not named was not asked');
});

t.test('a refusal by the storage says nothing of the client’s credentials', async (t) => {
  for (const status of [401, 403, 404, 500]) {
    const site = await startLabSite(t, {
      primary: { downloads: 'redirect' },
      harbor: { probe: RARE_PROBE, credentials: 'forward' },
      canary: false,
    });
    const client = site.edge.http1();
    t.match(await client.ask('/v2/library/app/manifests/1'), { status: 200 }, 'the primary shows the repository');
    await site.primary.faults.on('errors', { kind: 'download', status });
    const reply = await client.ask(blobPath(site));
    t.match(reply, { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } }, `storage answers ${status}`);
  }
});

t.test('loops end, and plain HTTP after https is not followed', async (t) => {
  const odd = await startOddServer(t, (socket) => {
    socket.write('HTTP/1.1 307 Temporary Redirect\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n');
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
  });
  const blob = `/v2/app/blobs/${sha256('x')}`;
  t.match(await edge.http1().ask(blob), { status: 503 });
  t.match(await edge.line(({ kind }) => kind === 'blob'), { attempts: [{ reason: 'redirect-loop' }] });
  t.equal(odd.heads.length, 6);

  const { certificate } = edge;
  const plain = await startLabRegistry();
  const secure = await startLabRegistry({
    tls: { cert: certificate.cert, key: certificate.key },
    downloads: 'redirect',
    redirectTo: plain.url,
  });
  t.teardown(() => Promise.all([plain.close(), secure.close()]));
  const { blobDigests } = secure.seed('app', '1', IMAGE);
  const downgraded = await startEdgeInProcess(
    t,
    {
      upstreams: { secure: { urls: [secure.url], caFile: 'ca.crt', probe: RARE_PROBE } },
      routes: [{ prefix: '', pull: [{ upstream: 'secure' }] }],
    },
    { certificate, secrets: { secure: { ca: certificate.ca } } },
  );
  t.match(await downgraded.http1().ask('/v2/app/manifests/1'), { status: 200 }, 'its certificate is trusted');
  t.match(await downgraded.http1().ask(`/v2/app/blobs/${blobDigests[0]}`), { status: 503 });
  t.equal(plain.requests.length, 0);
});

t.test('passed: relative ones lead through the edge, sealed', async (t) => {
  const key = randomBytes(32);
  const site = await startLabSite(
    t,
    redirecting('pass', { settings: { secrets: { harbor: { password: 'right' } }, key } }),
  );
  const twin = await startLabSite(t, { settings: { key } });
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    const redirect = await client.ask(blobPath(site));
    t.match(redirect, { status: 302, headers: { location: /^\/_breakwater\/download\/[A-Za-z0-9._-]+$/ } });
    t.equal(site.leak(redirect), undefined, 'nothing of the upstream shows');
    const location = String(redirect.headers.location);
    site.primary.forget();
    const got = await client.ask(location, { headers: { authorization: 'Basic Y2xpZW50', cookie: 'sid=1' } });
    t.match(got, { status: 200, complete: true, headers: { 'content-length': '300000' } });
    t.equal(sha256(got.body), site.blob());
    t.match(site.primary.requests[0]?.headers, { authorization: undefined, cookie: undefined }, 'no credentials');
    const part = await client.ask(location, { headers: { range: 'bytes=-5' } });
    t.match(part, { status: 206, headers: { 'content-range': 'bytes 299995-299999/300000' } });
    const head = await client.ask(location, { method: 'HEAD' });
    t.match(head, { status: 200, complete: true, headers: { 'content-length': '300000' } });
    t.match(await client.ask(location, { method: 'DELETE' }), { status: 405, headers: { allow: 'GET, HEAD' } });

    site.primary.forget();
    const end = location.length - 1;
    const forged = [
      location.slice(0, -8),
      `${location.slice(0, end)}${location[end] === 'A' ? 'Q' : 'A'}`,
      '/_breakwater/download/',
      '/_breakwater/download/eyJhbGciOiJub25lIn0..',
      `${location}/../../v2/`,
    ];
    for (const path of forged) t.match(await client.ask(path), { status: 404 }, path.slice(0, 40));
    t.equal(site.primary.requests.length, 0, 'and the upstream heard of none');
  }
  const location = String((await site.edge.http1().ask(blobPath(site))).headers.location);
  const other = await twin.edge.http1().ask(location);
  t.equal(codeOf(other), 'BLOB_UNKNOWN', 'an edge with that key but without that URL does not have it');
});

t.test('passed: absolute ones are for the client to follow', async (t) => {
  for (const redirectTo of ['https://cdn.example.com', 'https://cdn.example.com/v2']) {
    const site = await startLabSite(t, redirecting('pass', { primary: { redirectTo }, canary: false }));
    const reply = await site.edge.http1().ask(blobPath(site));
    t.match(reply, { status: 302, complete: true });
    t.ok(
      String(reply.headers.location).startsWith(`${redirectTo}/artifacts-downloads/`),
      String(reply.headers.location),
    );
  }
  const own = await startLabSite(t, redirecting('pass'));
  own.primary.seed(`${INNER}library/other`, '1', IMAGE);
  t.match(await own.edge.http1().ask(blobPath(own), { method: 'HEAD' }), { status: 200 }, 'a HEAD is not redirected');
});

t.test('a download that redirects again, fails, or hangs', async (t) => {
  const answers: Record<string, string> = {
    '/again': 'HTTP/1.1 302 Found\r\nLocation: https://storage.example.com/x?sig=1\r\nContent-Length: 0\r\n\r\n',
    '/near': 'HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n',
    '/gone': 'HTTP/1.1 410 Gone\r\nContent-Length: 4\r\nContent-Type: text/plain\r\nSet-Cookie: a=b\r\n\r\ngone',
    '/hang': '',
  };
  let next = '/again';
  const odd = await startOddServer(t, (socket, head) => {
    const path = head.split(' ')[1] ?? '';
    socket.write(answers[path] ?? `HTTP/1.1 307 Temporary Redirect\r\nLocation: ${next}\r\nContent-Length: 0\r\n\r\n`);
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      odd: {
        urls: [odd.url],
        probe: RARE_PROBE,
        redirects: { mode: 'pass' },
        deadlines: { blob: '500ms' },
      },
    },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
  });
  const client = edge.http1();
  const second = async (path: string) => {
    next = path;
    const first = await client.ask(`/v2/app/blobs/${sha256('x')}`);
    return client.ask(String(first.headers.location));
  };
  t.match(await second('/again'), { status: 302, headers: { location: 'https://storage.example.com/x?sig=1' } });
  t.match(await second('/near'), { status: 302, headers: { location: /^\/_breakwater\/download\// } });
  t.match(await second('/gone'), { status: 410, headers: { 'set-cookie': undefined } });
  t.match(await second('/hang'), { status: 503, headers: { 'retry-after': /\d/ } });
});

t.test('a relative Location of a download that is passed on counts from the URL that answered', async (t) => {
  const table: [location: string, expected: string][] = [
    ['data?sig=1', '/base/v2/app/blobs/data?sig=1'],
    ['../data', '/base/v2/app/data'],
    ['/data/1', '/data/1'],
    // A path that looks like another host is asked for at the upstream itself.
    ['/.//127.0.0.9:1/data', '//127.0.0.9:1/data'],
    ['//storage.example/data', 'http://storage.example/data'],
    ['https://storage.example/a%2fb?sig=%7e', 'https://storage.example/a%2fb?sig=%7e'],
  ];
  for (const [location, expected] of table) {
    const odd = await startOddServer(t, (socket, head) => {
      const [, path = ''] = head.split(' ');
      if (path.includes('sha256')) socket.write(`HTTP/1.1 307 Temporary Redirect\r\nLocation: ${location}\r\n`);
      else socket.write(`HTTP/1.1 200 OK\r\nETag: "${path}"\r\n`);
      socket.write('Content-Length: 0\r\n\r\n');
    });
    const edge = await startEdgeInProcess(t, {
      upstreams: { odd: { urls: [`${odd.url}/base`], probe: RARE_PROBE, redirects: { mode: 'pass' } } },
      routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
    });
    const client = edge.http1();
    const passed = await client.ask(`/v2/app/blobs/${sha256('x')}`);
    t.equal(passed.status, 307);
    const to = String(passed.headers.location);
    if (/^https?:/.test(expected)) t.equal(to, expected);
    else t.equal((await client.ask(to)).headers.etag, `"${expected}"`, location);
  }
});
