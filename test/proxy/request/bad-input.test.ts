import t, { type Test } from 'tap';
import type { Client } from '../../helpers/http1-client.ts';
import { received2 } from '../../helpers/http2-client.ts';
import { clientRequests, codeOf, type LabSite, sha256, startLabSite } from '../../helpers/lab-site.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';

// "Bad input" of the issue: each gets the right OCI error, or is cut, and reaches no upstream.
const DIGEST = sha256('x');
const MANIFEST = '/v2/library/app/manifests/1';
const UPLOADS = '/v2/library/app/blobs/uploads/';
const LONG = 'a'.repeat(256);

type Row = [method: string, path: string, status: number, code: string, headers?: Record<string, string>];

const ROWS: Row[] = [
  // Names.
  ['GET', '/v2/Library/app/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library/app_/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/-library/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library/a..b/manifests/1', 400, 'NAME_INVALID'],
  ['GET', `/v2/${LONG}/manifests/1`, 400, 'NAME_INVALID'],
  ['GET', '/v2/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2//manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library//app/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library/app/tags/list/', 404, 'NAME_UNKNOWN'],
  ['POST', '/v2/library/App/blobs/uploads/', 400, 'NAME_INVALID'],
  ['POST', `${UPLOADS}?mount=${DIGEST}&from=Library/App`, 400, 'NAME_INVALID'],
  ['POST', `${UPLOADS}?mount=${DIGEST}&from=../other`, 400, 'NAME_INVALID'],
  // Paths.
  ['GET', '/v2/library/../secret/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/../v2/library/app/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/./library/app/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library%252Fapp/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library%2F..%2Fapp/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library/%2e%2e/app/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library/app%00/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library/app\\x/manifests/1', 400, 'NAME_INVALID'],
  ['GET', '/v2/library/app/manifests/1%00', 404, 'MANIFEST_UNKNOWN'],
  ['GET', '/v2/library/app/manifests/1#x', 400, 'NAME_INVALID'],
  ['GET', '/v2/unknown', 404, 'NAME_UNKNOWN'],
  ['GET', '/v2/library/app', 404, 'NAME_UNKNOWN'],
  ['GET', '/v1/_ping', 404, 'NAME_UNKNOWN'],
  ['GET', '/', 404, 'NAME_UNKNOWN'],
  ['GET', `/v2/library/app/blobs/${DIGEST}?${'x'.repeat(20_000)}`, 414, 'NAME_INVALID'],
  // References.
  ['GET', '/v2/library/app/manifests/.hidden', 404, 'MANIFEST_UNKNOWN'],
  ['GET', `/v2/library/app/manifests/${'t'.repeat(129)}`, 404, 'MANIFEST_UNKNOWN'],
  ['PUT', '/v2/library/app/manifests/.hidden', 400, 'TAG_INVALID'],
  ['DELETE', '/v2/library/app/manifests/-x', 400, 'TAG_INVALID'],
  ['GET', '/v2/library/app/manifests/sha256:abc', 400, 'DIGEST_INVALID'],
  ['GET', '/v2/library/app/blobs/sha256:abc', 400, 'DIGEST_INVALID'],
  ['GET', `/v2/library/app/blobs/${DIGEST.toUpperCase()}`, 400, 'DIGEST_INVALID'],
  ['GET', '/v2/library/app/blobs/notadigest', 400, 'DIGEST_INVALID'],
  ['GET', '/v2/library/app/referrers/sha256:abc', 400, 'DIGEST_INVALID'],
  ['POST', `${UPLOADS}?digest=sha256:abc`, 400, 'DIGEST_INVALID'],
  ['POST', `${UPLOADS}?mount=sha256:abc&from=library/app`, 400, 'DIGEST_INVALID'],
  ['PUT', `${UPLOADS}abc?digest=nonsense`, 400, 'DIGEST_INVALID'],
  ['PATCH', `${UPLOADS}abc`, 404, 'BLOB_UPLOAD_UNKNOWN'],
  ['PATCH', `${UPLOADS}..`, 404, 'BLOB_UPLOAD_UNKNOWN'],
  // Ranges.
  ['GET', `/v2/library/app/blobs/${DIGEST}`, 416, 'RANGE_INVALID', { range: 'bytes=5-2' }],
  ['GET', `/v2/library/app/blobs/${DIGEST}`, 416, 'RANGE_INVALID', { range: 'bytes=a-b' }],
  ['GET', `/v2/library/app/blobs/${DIGEST}`, 416, 'RANGE_INVALID', { range: 'bytes=0-1,4-3' }],
  ['GET', `/v2/library/app/blobs/${DIGEST}`, 416, 'RANGE_INVALID', { range: 'bytes=-' }],
  ['GET', `/v2/library/app/blobs/${DIGEST}`, 416, 'RANGE_INVALID', { range: 'bytes=-0' }],
  ['GET', `/v2/library/app/blobs/${DIGEST}`, 416, 'RANGE_INVALID', { range: `bytes=${'9'.repeat(30)}-` }],
  // Methods.
  ['POST', MANIFEST, 405, 'UNSUPPORTED'],
  ['PUT', '/v2/', 405, 'UNSUPPORTED'],
  ['DELETE', '/v2/library/app/tags/list', 405, 'UNSUPPORTED'],
  ['PATCH', UPLOADS, 405, 'UNSUPPORTED'],
  ['GET', UPLOADS, 405, 'UNSUPPORTED'],
  ['OPTIONS', `${UPLOADS}x`, 405, 'UNSUPPORTED'],
  ['TRACE', MANIFEST, 405, 'UNSUPPORTED'],
  ['PROPFIND', MANIFEST, 405, 'UNSUPPORTED'],
  // The path of the edge's own.
  ['GET', '/auth/token/', 404, 'UNAUTHORIZED'],
  ['GET', '/auth/token/abc.def', 404, 'UNAUTHORIZED'],
  ['GET', '/_breakwater/download/abc', 404, 'BLOB_UNKNOWN'],
  ['POST', '/_breakwater/download/abc', 405, 'UNSUPPORTED'],
];

t.test('malformed requests, over both protocol versions', async (t) => {
  const site = await startLabSite(t);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    site.primary.forget();
    site.fallback.forget();
    for (const row of ROWS) await checkRow(t, site, client, row);
    for (const registry of [site.primary, site.fallback]) {
      t.strictSame(
        clientRequests(registry).map(({ url }) => url),
        [],
        'no upstream heard of any',
      );
    }
    t.equal((await client.ask(MANIFEST)).status, 200, 'and the next request is served');
  }
});

async function checkRow(
  t: Test,
  site: LabSite,
  client: Client,
  [method, path, status, code, headers]: Row,
): Promise<void> {
  const body = ['PUT', 'PATCH', 'POST'].includes(method) ? { body: 'x' } : {};
  const reply = await client.ask(path, { method, ...(headers ? { headers } : {}), ...body });
  const what = `${client.version} ${method} ${path.slice(0, 60)}`;
  t.match(reply, { status, complete: true, headers: { 'content-type': 'application/json' } }, what);
  t.equal(codeOf(reply), code, `${what}: ${code}`);
  if (status === 405) t.match(reply.headers.allow, /[A-Z]/, 'Allow');
  t.equal(site.leak(reply), undefined);
}

t.test('bodies where none belongs', async (t) => {
  const site = await startLabSite(t);
  site.primary.forget();
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      const reply = await client.ask(MANIFEST, { method, body: 'smuggled' });
      t.match(reply, { status: 400, complete: true }, `${client.version} ${method}`);
      if (method !== 'HEAD') t.equal(codeOf(reply), 'UNSUPPORTED');
    }
  }
  const stream = site.edge.http2().open(MANIFEST, {}, false);
  t.match(
    await received2(stream),
    { status: 400, complete: true },
    'HTTP/2 without a length, and the stream ends by itself',
  );
  const refused = site.edge.http2().open('/v2/Bad/blobs/uploads/', { method: 'POST' }, false);
  refused.write('some, and no end of it');
  t.match(await received2(refused), { status: 400, complete: true }, 'so does one whose body never ends');
  t.strictSame(clientRequests(site.primary), []);
});

const SMUGGLED = 'GET /v2/library/secret/manifests/1 HTTP/1.1\r\nHost: edge.test\r\n\r\n';
const RAW: [says: string, text: string, answer: RegExp][] = [
  [
    'Content-Length and Transfer-Encoding',
    `PUT ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    /^HTTP\/1\.1 400 /,
  ],
  [
    'two Content-Lengths',
    `PUT ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n`,
    /^HTTP\/1\.1 400 /,
  ],
  [
    'a chunked DELETE',
    `DELETE ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    /^HTTP\/1\.1 400 /,
  ],
  [
    'another coding',
    `PUT ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    /^HTTP\/1\.1 400 /,
  ],
  ['no Host', `GET ${MANIFEST} HTTP/1.1\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['two Hosts', `GET ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nHost: other\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['a Host with a path', `GET ${MANIFEST} HTTP/1.1\r\nHost: edge.test/x\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['a foreign Host', `GET ${MANIFEST} HTTP/1.1\r\nHost: other.test\r\n\r\n`, /^HTTP\/1\.1 421 /],
  ['a raw NUL', `GET /v2/library/app\0/manifests/1 HTTP/1.1\r\nHost: edge.test\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ['a bare LF in a header', `GET ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nX: a\n\tb\r\n\r\n`, /^HTTP\/1\.1 400 /],
  [
    'a long header',
    `GET ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
    /^HTTP\/1\.1 431 /,
  ],
  ['an unknown method', `FETCH ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\n\r\n`, /^HTTP\/1\.1 4\d\d /],
  ['CONNECT', 'CONNECT harbor:443 HTTP/1.1\r\nHost: harbor:443\r\n\r\n', /^HTTP\/1\.1 405 /],
  [
    'an upgrade',
    `GET /v2/ HTTP/1.1\r\nHost: edge.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    /^HTTP\/1\.1 400 /,
  ],
  [
    'a target of another host',
    'GET https://other.test/v2/ HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n',
    /^HTTP\/1\.1 400 /,
  ],
  [
    'a target of another scheme',
    'GET ftp://edge.test/v2/ HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n',
    /^HTTP\/1\.1 400 /,
  ],
  ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 /],
  [
    'a chunk that lies',
    `PUT ${MANIFEST} HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n`,
    /^HTTP\/1\.1 400 /,
  ],
];

t.test('malformed requests on the wire', async (t) => {
  const site = await startLabSite(t);
  for (const [says, text, answer] of RAW) {
    site.primary.forget();
    const raw = await RawConnection.connect(t, site.edge.http1().target);
    raw.send(text);
    await raw.heard(answer);
    t.match(raw.text, answer, says);
    t.notMatch(raw.text, /^HTTP\/1\.1 200/m, 'nothing behind it is taken for a request');
    raw.socket.destroy();
    const reached = clientRequests(site.primary).filter(({ status }) => status >= 200 && status < 300);
    t.strictSame(reached, [], 'and no upstream did anything');
  }
});

t.test('hop-by-hop and forwarding headers of a client go no further', async (t) => {
  const site = await startLabSite(t);
  const raw = await RawConnection.connect(t, site.edge.http1().target);
  const lines = [
    `POST ${UPLOADS} HTTP/1.1`,
    'Host: edge.test',
    'Content-Length: 0',
    'Connection: close, X-Secret',
    'X-Secret: 1',
    'Proxy-Authorization: Basic x',
    'TE: trailers',
    'Forwarded: for=1.2.3.4;host=evil.test;proto=http',
    'X-Forwarded-Host: evil.test',
    'X-Forwarded-For: 1.2.3.4',
    'X-Real-IP: 1.2.3.4',
    'Cookie: sid=1',
  ];
  raw.send(`${lines.join('\r\n')}\r\n\r\n`);
  await raw.closed();
  t.match(raw.text, /^HTTP\/1\.1 202 /);
  const seen = site.primary.requests.find(({ method }) => method === 'POST');
  const { headers = {} } = seen ?? {};
  for (const name of [
    'x-secret',
    'proxy-authorization',
    'te',
    'forwarded',
    'x-forwarded-host',
    'x-real-ip',
    'cookie',
  ]) {
    t.equal(headers[name], undefined, name);
  }
  t.match(headers, {
    'x-forwarded-for': '127.0.0.1',
    host: `127.0.0.1:${site.primary.port}`,
  });
});
