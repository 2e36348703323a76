import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Owner } from '../../test/helpers/temporary-folder.ts';

const TYPE = 'application/vnd.oci.image.manifest.v1+json';

export interface ManifestUpstream {
  url: string;
  /** Digest of the manifest, which every tag of every repository has. */
  digest: string;
  bytes: number;
}

/** A registry with one manifest of the usual size. It runs in this process, so that nothing has to be installed. */
export async function startManifestUpstream(owner: Owner): Promise<ManifestUpstream> {
  const body = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: TYPE, annotations: { pad: 'x'.repeat(1280) } }),
  );
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const headers = { 'content-type': TYPE, 'content-length': String(body.length), 'docker-content-digest': digest };
  const server = createServer(({ url }, response) => {
    if (url?.includes('/manifests/')) response.writeHead(200, headers).end(body);
    else response.writeHead(200, { 'content-type': 'application/json', 'content-length': '2' }).end('{}');
  });
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, digest, bytes: body.length };
}
