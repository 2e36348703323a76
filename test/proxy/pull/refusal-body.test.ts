import type { Socket } from 'node:net';
import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { codeOf } from '../../helpers/lab-site.ts';
import { startOddServer } from '../../helpers/odd-server.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

// A status that settles the matter needs no body (rule 8): one that breaks off, never ends, or is too long is dropped,
// and the status and the headers are relayed all the same.

const BLOB = `/v2/app/blobs/sha256:${'0'.repeat(64)}`;
const MANIFEST = `/v2/app/manifests/sha256:${'0'.repeat(64)}`;
const TAGS = '/v2/app/tags/list';

type Ending = 'broken' | 'held' | 'endless';

/** Sends a head that announces more than its body has, as registries built with old Go do for a 416. */
function answer(socket: Socket, head: string, status: number, ending: Ending, headers = ''): void {
  const length = ending === 'endless' ? 10_000_000 : 5000;
  socket.write(`HTTP/1.1 ${status} X\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n${headers}\r\n`);
  if (head.startsWith('HEAD ')) return;
  socket.write('invalid');
  if (ending === 'endless') socket.write('x'.repeat(200_000));
  if (ending === 'broken') setImmediate(() => socket.end());
}

const ROWS: [status: number, code: string, path: string, headers: string][] = [
  [416, 'RANGE_INVALID', BLOB, 'Content-Range: bytes */300\r\n'],
  [400, 'UNKNOWN', BLOB, ''],
  [405, 'UNSUPPORTED', MANIFEST, 'Allow: GET\r\n'],
  [400, 'UNKNOWN', TAGS, ''],
  [401, 'UNAUTHORIZED', MANIFEST, 'WWW-Authenticate: Basic realm="r"\r\n'],
  [403, 'DENIED', BLOB, ''],
];

for (const ending of ['broken', 'held', 'endless'] as const) {
  t.test(`the body of a refusal that is ${ending}`, async (t) => {
    // More than open a breaker; a body that is held costs half a second each time.
    const times = ending === 'held' ? 1 : 6;
    for (const [status, code, path, headers] of ROWS) {
      const odd = await startOddServer(t, (socket, head) => answer(socket, head, status, ending, headers));
      const spare = await startOddServer(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'));
      const edge = await startEdgeInProcess(t, {
        upstreams: {
          odd: { urls: [odd.url], probe: RARE_PROBE, credentials: 'forward', hedge: { share: 0 } },
          spare: { urls: [spare.url], probe: RARE_PROBE },
        },
        routes: [{ prefix: '', pull: [{ upstream: 'odd' }, { upstream: 'spare' }] }],
      });
      for (const client of [edge.http1(), edge.http2()]) {
        for (let count = 0; count < times; count += 1) {
          const reply = await client.ask(path, { headers: { range: 'bytes=300-' } });
          const what = `${client.version} ${status} ${path.slice(0, 20)} ${count}`;
          t.match(reply, { status, complete: true, headers: { 'x-breakwater-upstream': 'odd' } }, what);
          t.match(reply.headers['content-type'], /^application\/json/);
          t.equal(codeOf(reply), code);
          t.ok(reply.headersAfter < timeLimit(2000), `not held up: ${reply.headersAfter}`);
          if (status === 416) t.equal(reply.headers['content-range'], 'bytes */300', 'headers are relayed');
        }
      }
      t.equal(spare.heads.length, 0, 'no other upstream is asked');
      const [first] = edge.app.status().upstreams;
      t.match(first, { urls: [{ breakers: { data: 'closed', control: 'closed' }, suspected: false }] });
    }
  });
}

t.test('the body of a 404 and of a redirect', async (t) => {
  for (const ending of ['broken', 'held', 'endless'] as const) {
    const away = await startOddServer(t, (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nblob'));
    const odd = await startOddServer(t, (socket, head) =>
      head.includes('/blobs/')
        ? answer(socket, head, 307, ending, `Location: ${away.url}/x\r\n`)
        : answer(socket, head, 404, ending),
    );
    const edge = await startEdgeInProcess(t, {
      upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, redirects: { mode: 'follow', hosts: ['127.0.0.1'] } } },
      routes: [{ prefix: '', pull: [{ upstream: 'odd' }] }],
      // The content is none of that digest.
      verify: 'never',
    });
    for (const client of [edge.http1(), edge.http2()]) {
      t.match(await client.ask(TAGS), { status: 404, complete: true }, `${ending} ${client.version}`);
      t.match(await client.ask(BLOB), { status: 200, body: Buffer.from('blob') });
    }
  }
});
