import t from 'tap';
import { startLabSite } from '../../helpers/lab-site.ts';
import { FRAME, FrameClient } from '../../server/http2-frames.ts';

const END_STREAM = 0x1;
const NO_ERROR = 0;
const CANCEL = 8;
const NAMES = new Map<number, string>([
  [FRAME.headers, 'headers'],
  [FRAME.data, 'data'],
  [FRAME.reset, 'reset'],
]);

/** Kinds of the frames of a stream up to its reset; `end`: one of them has ended this side of the stream. */
async function framesOf(client: FrameClient, stream: number): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const { type, flags, payload, ...frame } = await client.receive(...NAMES.keys());
    if (frame.stream !== stream) continue;
    const name = NAMES.get(type) ?? '';
    if (type === FRAME.reset) return [...seen, `${name} ${payload.readUInt32BE(0)}`];
    if (seen.at(-1) !== name) seen.push(name);
    if (flags & END_STREAM) seen.push('end');
  }
}

t.test('over HTTP/2, a reply before the end of the request ends, and then the rest is refused', async (t) => {
  const site = await startLabSite(t, {
    canary: false,
    settings: { key: Buffer.from('a key that is long enough for this') },
  });
  const path = '/v2/library/app';
  const withBody = ['headers', 'data', 'end', `reset ${NO_ERROR}`];
  const table: [name: string, method: string, path: string, fields: [string, string][], expected: string[]][] = [
    ['a malformed name', 'PUT', '/v2/BAD/manifests/1', [], withBody],
    ['an unknown session', 'PATCH', `${path}/blobs/uploads/unknown`, [], withBody],
    ['a body where none may be', 'GET', `${path}/manifests/1`, [], withBody],
    ['a HEAD with a body', 'HEAD', `${path}/manifests/1`, [], ['headers', 'end', `reset ${NO_ERROR}`]],
    ['nothing that is served', 'POST', '/nowhere', [], withBody],
    ['what the listener refuses', 'POST', `${path}/blobs/uploads/`, [['expect', 'x']], withBody],
    ['a question that no peer asks', 'POST', '/_breakwater/peer', [['content-type', 'text/plain']], withBody],
  ];
  for (const [name, method, target, fields, expected] of table) {
    const client = await FrameClient.connect(t, site.edge.port);
    client.open(1, [
      [':method', method],
      [':scheme', 'https'],
      [':authority', 'edge.test'],
      [':path', target],
      ...fields,
    ]);
    client.send(FRAME.data, 0, 1, Buffer.alloc(10_000));
    t.strictSame(await framesOf(client, 1), expected, name);
    client.destroy();
  }
});

t.test('a client that takes nothing of such a reply is not waited for', async (t) => {
  const site = await startLabSite(t, { canary: false });
  const client = await FrameClient.connect(t, site.edge.port, 0);
  client.open(1, [
    [':method', 'PUT'],
    [':scheme', 'https'],
    [':authority', 'edge.test'],
    [':path', '/v2/BAD/manifests/1'],
  ]);
  client.send(FRAME.data, 0, 1, Buffer.alloc(10_000));
  t.strictSame(await framesOf(client, 1), ['headers', `reset ${CANCEL}`]);
});
