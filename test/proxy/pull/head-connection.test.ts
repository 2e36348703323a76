import type { Socket } from 'node:net';
import t from 'tap';
import { MANIFEST_TYPE, sha256 } from '../../helpers/lab-site.ts';
import { BY_DIGEST, MANIFEST, serveRight, startPacedSite } from './paced-upstream.ts';

// Clients ask for the HEAD of a tag before each pull: a handshake with a distant upstream for each would cost more than the answer.

const BY_TAG = '/v2/app/manifests/1';
const NO_MEMORY = { config: { manifests: { memory: 0 } } };

t.test('the connection of a HEAD of a manifest serves the next request', async (t) => {
  const { edge, harbor } = await startPacedSite(t, NO_MEMORY);
  const sockets = new Set<Socket>();
  harbor.answer = (req, res) => {
    sockets.add(req.socket);
    serveRight(req, res);
  };
  const client = edge.http1();
  for (let turn = 0; turn < 8; turn += 1)
    for (const [path, method] of [
      [BY_TAG, 'HEAD'],
      [BY_DIGEST, 'GET'],
    ] as const)
      t.match(await client.ask(path, { method }), { status: 200 });
  t.equal(harbor.asked, 16);
  // Those of the probe are used too.
  t.ok(sockets.size <= 3, `${sockets.size} connections`);
});

t.test('an upstream that sends a body with it spoils no other answer', async (t) => {
  const { edge, harbor } = await startPacedSite(t, NO_MEMORY);
  const other = Buffer.from('{"schemaVersion":2,"wrong":true}');
  harbor.answer = (req, res) => {
    if (req.method !== 'HEAD') return serveRight(req, res);
    const head = [
      'HTTP/1.1 200 OK',
      `Content-Type: ${MANIFEST_TYPE}`,
      `Docker-Content-Digest: ${sha256(MANIFEST)}`,
      `Content-Length: ${other.length}`,
    ];
    return req.socket.write(`${head.join('\r\n')}\r\n\r\n${other}`);
  };
  const client = edge.http1();
  for (let turn = 0; turn < 4; turn += 1) {
    t.match(await client.ask(BY_TAG, { method: 'HEAD' }), { status: 200 });
    const reply = await client.ask(BY_TAG);
    t.equal(reply.status, 200);
    t.ok(reply.body.equals(MANIFEST));
  }
});
