import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { MANIFEST_TYPE, manifestOf, sha256 } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';

const BYTES = manifestOf(Buffer.from('{}'));
const DIGEST = sha256(BYTES);
const TYPE = `Content-Type: ${MANIFEST_TYPE}\r\n`;
const LENGTH = `Content-Length: ${BYTES.length}\r\n`;
const DIGEST_LINE = `Docker-Content-Digest: ${DIGEST}\r\n`;
const OK = 'HTTP/1.1 200 OK\r\n';
const FORBIDDEN = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n';
const MOVED = 'HTTP/1.1 307 Temporary Redirect\r\nLocation: /storage/x?signature=y\r\nContent-Length: 0\r\n';

const ROWS: { says: string; head: string; get?: string; storage?: string; asked: string[] }[] = [
  { says: 'all is there', head: OK + TYPE + LENGTH + DIGEST_LINE, asked: ['HEAD'] },
  { says: 'no length', head: `${OK + TYPE + DIGEST_LINE}Transfer-Encoding: chunked\r\n`, asked: ['HEAD', 'GET'] },
  { says: 'a length of 0', head: `${OK + TYPE + DIGEST_LINE}Content-Length: 0\r\n`, asked: ['HEAD', 'GET'] },
  { says: 'no digest', head: OK + TYPE + LENGTH, asked: ['HEAD', 'GET'] },
  { says: 'neither, nor a digest of the GET', head: OK + TYPE, get: OK + TYPE + LENGTH, asked: ['HEAD', 'GET'] },
  {
    says: 'no digest, and a type that anything may have',
    head: `${OK}Content-Type: application/json\r\n${LENGTH}`,
    get: `${OK}Content-Type: application/json\r\n${LENGTH}`,
    asked: ['HEAD', 'GET'],
  },
  { says: '405', head: 'HTTP/1.1 405 Not Allowed\r\nContent-Length: 0\r\n', asked: ['HEAD', 'GET'] },
  {
    says: 'a redirect whose signature is for GET',
    head: MOVED,
    storage: FORBIDDEN,
    get: MOVED,
    asked: ['HEAD', 'HEAD', 'GET', 'GET'],
  },
  {
    says: 'a redirect to storage that knows no digest',
    head: MOVED,
    storage: OK + TYPE + LENGTH,
    get: MOVED,
    asked: ['HEAD', 'HEAD', 'GET', 'GET'],
  },
];

t.test('a HEAD of a manifest that says too little is completed by a GET', async (t) => {
  let row = ROWS[0];
  const upstream = await startOddServer(t, (socket, head) => {
    const isHead = head.startsWith('HEAD');
    if (head.includes(' /storage/')) socket.write(isHead ? `${row?.storage}\r\n` : `${OK + TYPE + LENGTH}\r\n${BYTES}`);
    else if (isHead) socket.write(`${row?.head}\r\n`);
    else
      socket.write(
        `${row?.get ?? OK + TYPE + LENGTH + DIGEST_LINE}\r\n${row?.get?.startsWith('HTTP/1.1 307') ? '' : BYTES}`,
      );
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [upstream.url], probe: RARE_PROBE } },
    routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
    manifests: { keep: '0s' },
  });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const reference of ['latest', DIGEST]) {
      for (row of ROWS) {
        upstream.heads.length = 0;
        const reply = await client.ask(`/v2/app/manifests/${reference}`, { method: 'HEAD' });
        const says = `${client.version} ${reference.slice(0, 6)}: ${row.says}`;
        t.match(
          reply,
          {
            status: 200,
            complete: true,
            headers: { 'content-length': String(BYTES.length), 'docker-content-digest': DIGEST },
          },
          says,
        );
        t.equal(reply.body.length, 0, 'no body');
        t.strictSame(
          upstream.heads.map((one) => one.split(' ')[0]),
          row.asked,
          says,
        );
      }
    }
  }
});
