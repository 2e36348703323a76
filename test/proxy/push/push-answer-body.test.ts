import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { sha256 } from '../../helpers/lab-site.ts';
import { type OddServer, startOddServer } from '../../helpers/odd-server.ts';
import { timeLimit } from '../../helpers/time-limit.ts';

// A status settles what became of a push: a body that breaks off, never ends or is too long changes nothing (rule 8).

type Ending = 'closed' | 'reset' | 'held' | 'endless';
const ENDINGS: readonly Ending[] = ['closed', 'reset', 'held', 'endless'];

const DIGEST = sha256('{}');
const UPLOADS = '/v2/app/blobs/uploads/';
const MANIFEST = '/v2/app/manifests/1';
const CREATED = `Location: /v2/app/manifests/${DIGEST}\r\nDocker-Content-Digest: ${DIGEST}\r\n`;
const SESSION = 'Location: /v2/app/blobs/uploads/session?state=x\r\nRange: 0-1\r\n';

/** Announces more of a body than it sends. */
function answer(socket: Socket, status: number, headers: string, ending: Ending): void {
  const length = ending === 'endless' ? 10_000_000 : 100;
  socket.write(
    `HTTP/1.1 ${status} X\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n${headers}\r\n0123456789`,
  );
  if (ending === 'endless') socket.write('x'.repeat(200_000));
  if (ending === 'closed') setImmediate(() => socket.end());
  if (ending === 'reset') setImmediate(() => socket.resetAndDestroy());
}

async function startEdge(t: Test, odd: OddServer) {
  const spare = await startOddServer(t, (socket) => socket.write('HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n'));
  const edge = await startEdgeInProcess(t, {
    upstreams: {
      odd: { urls: [odd.url], probe: RARE_PROBE },
      spare: { urls: [spare.url], probe: RARE_PROBE },
    },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }, { upstream: 'spare', replicate: true }] }],
  });
  return edge;
}

type Row = [status: number, method: string, path: string, headers: string];

const SETTLED: Row[] = [
  [201, 'PUT', MANIFEST, CREATED],
  [201, 'POST', `${UPLOADS}?digest=${DIGEST}`, `Location: /v2/app/blobs/${DIGEST}\r\n`],
  [202, 'POST', UPLOADS, SESSION],
  [202, 'DELETE', MANIFEST, ''],
  [400, 'PUT', MANIFEST, ''],
  [404, 'DELETE', MANIFEST, ''],
  [413, 'POST', `${UPLOADS}?digest=${DIGEST}`, ''],
  [500, 'PUT', MANIFEST, ''],
];

function send(client: Client, method: string, path: string): Promise<Reply> {
  const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'content-length': '2' };
  return client.ask(path, method === 'DELETE' || path === UPLOADS ? { method } : { method, headers, body: '{}' });
}

for (const ending of ENDINGS)
  t.test(`an answer to a push whose body is ${ending}`, async (t) => {
    let row: Row = [500, '', '', ''];
    const odd = await startOddServer(t, (socket) => answer(socket, row[0], row[3], ending));
    const edge = await startEdge(t, odd);
    // Each body that is held costs half a second.
    const rows = ending === 'held' ? SETTLED.slice(0, 3) : SETTLED;
    for (const client of ending === 'held' ? [edge.http1()] : [edge.http1(), edge.http2()])
      for (row of rows) {
        const [status, method, path] = row;
        const what = `${client.version} ${status} ${method} ${path.slice(0, 24)}`;
        const reply = await send(client, method, path);
        t.match(reply, { status, complete: true, headers: { 'x-breakwater-upstream': 'odd' } }, what);
        t.equal(Number(reply.headers['content-length']), reply.body.length, `${what}: its length`);
        t.ok(reply.headersAfter < timeLimit(3000), `${what}: not held up`);
        t.equal(
          reply.body.length > 0,
          status >= 400,
          `${what}: an error is explained, a success needs nothing: ${reply.body}`,
        );
        if (status === 201) t.match(reply.headers.location, DIGEST, what);
        if (status === 202 && method === 'POST') await continues(client, reply);
      }
    const [first] = edge.app.status().upstreams;
    t.match(first, { urls: [{ state: 'up', breakers: { push: 'closed' } }] }, 'no failure of the upstream');

    async function continues(client: Client, { headers }: Reply): Promise<void> {
      const location = String(headers.location);
      for (const [status, method, more] of [
        [202, 'PATCH', ''],
        [201, 'PUT', `?digest=${DIGEST}`],
      ] as const) {
        row = [status, method, location, status === 202 ? SESSION : `Location: /v2/app/blobs/${DIGEST}\r\n`];
        const reply = await send(client, method, location + more);
        t.match(reply, { status, complete: true, headers: { 'content-length': '0' } }, `${client.version} ${method}`);
      }
    }
  });

t.test('the ledger and replication hear of a push whose answer breaks off', async (t) => {
  const odd = await startOddServer(t, (socket, head) =>
    head.startsWith('PUT ')
      ? answer(socket, 201, CREATED, 'reset')
      : socket.write('HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n'),
  );
  const edge = await startEdge(t, odd);
  t.equal((await send(edge.http1(), 'PUT', MANIFEST)).status, 201);
  const { body } = await edge.admin('/api/explain?image=app:1');
  t.match(body, DIGEST);
  const line = await edge.line(({ kind }) => kind === 'manifest');
  t.match(line, {
    status: 201,
    outcome: 'served',
    hints: { from: 'edge', push: 1 },
    attempts: [{ outcome: 'served' }],
  });
});

t.test('a body that arrives is passed on', async (t) => {
  const odd = await startOddServer(t, (socket) =>
    socket.write(
      `HTTP/1.1 201 X\r\nContent-Type: text/plain\r\n${CREATED}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    ),
  );
  const edge = await startEdge(t, odd);
  for (const client of [edge.http1(), edge.http2()])
    t.match(await send(client, 'PUT', MANIFEST), {
      status: 201,
      headers: { 'content-type': 'text/plain', 'content-length': '2' },
      body: Buffer.from('ok'),
    });
});

t.test('a status without a body names no length', async (t) => {
  let length = '5';
  const odd = await startOddServer(t, (socket) => socket.write(`HTTP/1.1 204 X\r\nContent-Length: ${length}\r\n\r\n`));
  const edge = await startEdge(t, odd);
  for (length of ['5', '0'])
    for (const client of [edge.http1(), edge.http2()]) {
      const reply = await send(client, 'DELETE', MANIFEST);
      t.match(reply, { status: 204, complete: true }, `${client.version} ${length}`);
      t.equal(reply.headers['content-length'], undefined, `${client.version} ${length}`);
    }
});
