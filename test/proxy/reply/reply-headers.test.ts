import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';

/** The least that is an index. */
const INDEX = '{"schemaVersion":2,"manifests":[]}';

const VERBATIM: Record<string, string> = {
  'docker-content-digest': sha256(INDEX),
  'content-type': 'application/vnd.oci.image.index.v1+json; x="y"',
  etag: 'W/"abc"',
  'docker-distribution-api-version': 'registry/2.0',
  'oci-subject': sha256('subject'),
  'oci-filters-applied': 'artifactType',
  'oci-chunk-min-length': '100',
  'oci-tag': 'one',
  'cache-control': 'max-age=31536000',
  'last-modified': 'Sat, 21 Nov 2026 08:00:00 GMT',
  'x-odd': 'caf\xe9 "quoted", with, commas',
  'x-content-type-options': 'nosniff',
};
const DROPPED: Record<string, string> = {
  'keep-alive': 'timeout=5',
  'proxy-authenticate': 'Basic realm="x"',
  'x-listed': 'by Connection',
  'set-cookie': 'sid=1',
  'strict-transport-security': 'max-age=1',
  'alt-svc': 'h3=":443"',
  server: 'inner/1.0',
  'x-powered-by': 'inner',
  'x-request-id': 'inner',
  'oci-namespace': 'inner.example',
  refresh: '0; url=https://elsewhere.example/',
  'clear-site-data': '"*"',
  'access-control-allow-origin': '*',
  'access-control-allow-credentials': 'true',
  'content-security-policy': 'sandbox',
  'content-security-policy-report-only': "default-src 'none'; report-uri https://elsewhere.example/",
  'content-disposition': 'attachment; filename="setup.exe"',
  'cross-origin-resource-policy': 'cross-origin',
  'reporting-endpoints': 'default="https://elsewhere.example/"',
  'service-worker-allowed': '/',
};

t.test('headers of an upstream: verbatim, but for those of the connection and the host', async (t) => {
  const odd = await startOddServer(t, (socket, head) => {
    const fields = Object.entries({ ...VERBATIM, ...DROPPED }).map(([name, value]) => `${name}: ${value}`);
    const warnings = ['Warning: 299 - "deprecated"', 'Warning: 299 - "second"', 'Connection: keep-alive, X-Listed'];
    const text = ['HTTP/1.1 200 OK', `Content-Length: ${INDEX.length}`, ...fields, ...warnings].join('\r\n');
    socket.write(Buffer.from(`${text}\r\n\r\n${head.startsWith('HEAD') ? '' : INDEX}`, 'latin1'));
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [method, path] of [
      ['GET', '/v2/app/manifests/1'],
      ['HEAD', '/v2/app/manifests/1'],
      ['GET', `/v2/app/blobs/${sha256(INDEX)}`],
      ['PUT', '/v2/app/manifests/1'],
    ] as const) {
      const reply = await client.ask(path, { method, ...(method === 'PUT' ? { body: INDEX } : {}) });
      const what = `${client.version} ${method} ${path.slice(0, 16)}`;
      t.match(reply, { status: 200, complete: true }, what);
      for (const [name, value] of Object.entries(VERBATIM)) t.equal(reply.headers[name], value, `${what}: ${name}`);
      for (const name of Object.keys(DROPPED)) {
        if (name !== 'x-request-id' && name !== 'keep-alive')
          t.equal(reply.headers[name], undefined, `${what}: ${name}`);
      }
      t.match(reply.headers['x-request-id'], /^[0-9a-z]{16}$/, 'the edge’s own id');
      t.match(String(reply.headers.warning), /deprecated.*second/, 'both Warnings');
      t.equal(reply.headers['content-length'], String(INDEX.length));
    }
  }
});

t.test('headers that an upstream should not have sent', async (t) => {
  const head = `Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: ${INDEX.length}`;
  const whole = `HTTP/1.1 200 OK\r\n${head}\r\n\r\n${INDEX}`;
  const answers: [says: string, text: string, status: number][] = [
    ['Early Hints before the answer', `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${whole}`, 200],
    ['a body on a 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n', 304],
    [
      'a 206 without a Range',
      'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\n{}',
      503,
    ],
    ['a 600', 'HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n', 503],
    [
      'a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
      503,
    ],
    ['a redirect to nowhere', 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n', 503],
    ['two answers to one request', `${whole}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`, 200],
  ];
  for (const [says, text, status] of answers) {
    const odd = await startOddServer(t, (socket) => socket.write(text));
    const edge = await startEdgeInProcess(t, {
      upstreams: {
        odd: {
          urls: [odd.url],
          probe: RARE_PROBE,
          deadlines: { manifest: '1000ms', blob: '1000ms' },
        },
      },
      routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
    });
    for (const path of ['/v2/app/manifests/1', `/v2/app/blobs/${sha256(INDEX)}`]) {
      for (const client of [edge.http1(), edge.http2()]) {
        const reply = await client.ask(path, status === 304 ? { headers: { 'if-none-match': '"x"' } } : {});
        t.match(reply, { status, complete: true }, `${says}: ${client.version} ${path.slice(0, 16)}`);
        if (status === 200) t.equal(reply.body.toString(), INDEX);
      }
    }
  }
});

t.test('HTTP/1.0 clients, and connections that are kept', async (t) => {
  const odd = await startOddServer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
  });
  const old = await RawConnection.connect(t, edge.http1().target);
  old.send(`GET /v2/app/blobs/${sha256('x')} HTTP/1.0\r\nHost: edge.test\r\n\r\n`);
  await old.closed();
  t.match(old.text, /\r\n\r\nhello$/, 'no chunks for HTTP/1.0');
  t.notMatch(old.text, /transfer-encoding/i);
  const kept = await RawConnection.connect(t, edge.http1().target);
  const requests = [
    '/v2/',
    '/v2/BAD/manifests/1',
    '/v2/app/manifests/1',
    '/nowhere',
    `/v2/app/blobs/${sha256('x')}`,
    '/v2/',
  ];
  for (const [index, path] of requests.entries()) {
    kept.send(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
    await kept.heard(new RegExp(`(HTTP/1.1 [\\s\\S]*?){${index + 1}}`));
  }
  t.equal(kept.end, 'open', 'errors do not end a connection');
});
