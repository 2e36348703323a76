import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/** An address of 127.0.0.1 at which nothing listens. */
export async function unlisted(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}
