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
