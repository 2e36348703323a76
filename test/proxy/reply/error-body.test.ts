import t from 'tap';
import { RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import { startOddServer } from '../../helpers/odd-server.ts';

const MANIFEST = '/v2/library/app/manifests/1';

t.test('error bodies speak in the client’s names', async (t) => {
  const odd = await startOddServer(t, (socket, head) => {
    const denied = head.startsWith('GET') ? '401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"' : '400 Bad Request';
    const name = /v2\/(.*)\/(manifests|blobs)/.exec(head)?.[1];
    const detail = [{ Type: 'repository', Name: name, Action: 'pull' }];
    const body = JSON.stringify({
      errors: [{ code: 'UNAUTHORIZED', message: `no access to ${name}, or ${name}:1`, detail }],
    });
    socket.write(
      `HTTP/1.1 ${denied}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, credentials: 'forward' } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd', prefix: 'inner/' }] }],
  });
  for (const client of [edge.http1(), edge.http2()]) {
    for (const [method, status] of [
      ['GET', 401],
      ['PUT', 400],
    ] as const) {
      const reply = await client.ask(MANIFEST, { method, ...(method === 'PUT' ? { body: '{}' } : {}) });
      t.match(reply, { status, complete: true });
      t.strictSame(JSON.parse(reply.body.toString()).errors[0], {
        code: 'UNAUTHORIZED',
        message: 'no access to library/app, or library/app:1',
        detail: [{ Type: 'repository', Name: 'library/app', Action: 'pull' }],
      });
    }
  }
});

t.test('a refusal without a body gets one, because clients report an empty one as an error of its own', async (t) => {
  let status = 401;
  const odd = await startOddServer(t, (socket) => {
    const challenge = status === 401 ? 'WWW-Authenticate: Basic realm="x"\r\n' : '';
    socket.write(`HTTP/1.1 ${status} X\r\n${challenge}Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n`);
  });
  const edge = await startEdgeInProcess(t, {
    upstreams: { odd: { urls: [odd.url], probe: RARE_PROBE, credentials: 'forward' } },
    routes: [{ prefix: '', push: 'odd', pull: [{ upstream: 'odd' }] }],
  });
  const client = edge.http1();
  const rows: [status: number, code: string][] = [
    [401, 'UNAUTHORIZED'],
    [403, 'DENIED'],
    [400, 'UNKNOWN'],
  ];
  for (const [said, code] of rows) {
    status = said;
    for (const method of ['GET', 'PUT']) {
      const reply = await client.ask(MANIFEST, { method, ...(method === 'PUT' ? { body: '{}' } : {}) });
      t.match(reply, { status, headers: { 'content-type': 'application/json' } }, `${method} ${status}`);
      const message = `odd answered ${status} without an explanation`;
      t.match(JSON.parse(reply.body.toString()), { errors: [{ code, message }] });
    }
    t.match(await client.ask(MANIFEST, { method: 'HEAD' }), { status, complete: true }, 'a HEAD has no body');
  }
});
