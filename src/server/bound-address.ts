import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';

/** Resolves with the address once the server accepts connections; rejects if the address is not available. Later errors go to `onError`. */
export async function listenOn(
  server: Server,
  address: string,
  onError: (error: unknown) => void,
): Promise<AddressInfo> {
  server.listen(listenAddress(address));
  await once(server, 'listening');
  server.on('error', onError);
  return addressOf(server);
}

/** The address that a server listens on. */
export function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the listener does not listen');
  return address;
}

/** Stops listening and closes every connection. */
export async function closeNow(server: HttpServer): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Splits `0.0.0.0:443` or `[::]:443`; the configuration schema has checked the form. */
export function listenAddress(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(text.slice(colon + 1)) };
}
