import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Owner } from './temporary-folder.ts';

/** The only blob. Its bytes do not match the digest. */
export const LARGE_BLOB = `library/app/blobs/sha256:${'0'.repeat(64)}`;

const BYTES = 268_435_456;

/** A registry with a blob far larger than what any buffer takes. @returns its URL */
export async function startLargeBlob(owner: Owner): Promise<string> {
  const bytes = Buffer.alloc(1_048_576, 'x');
  const server = http.createServer((req, res) => {
    if (!req.url?.includes('/blobs/')) return void res.end('{}');
    res.writeHead(200, { 'content-length': BYTES });
    if (req.method === 'HEAD') return void res.end();
    let left = BYTES;
    const send = () => {
      for (let more = true; more && left > 0 && !res.destroyed; left -= bytes.length) more = res.write(bytes);
      if (left === 0) res.end();
    };
    res.on('drain', send);
    send();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
