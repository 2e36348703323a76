import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { removeStaleSocket, setSocketMode, socketPath } from './unix-socket.ts';

/** Of unix sockets, if nothing else is configured. */
const SOCKET_MODE = 0o660;

/**
 * Resolves with the address once the server accepts connections; rejects if the address is not available. Later errors go to `onError`.
 * @param address `HOST:PORT`, or `unix:/PATH`
 * @param socketMode of a unix socket
 */
export async function listenOn(
  server: Server,
  address: string,
  onError: (error: unknown) => void,
  socketMode = SOCKET_MODE,
): Promise<AddressInfo> {
  const path = socketPath(address);
  if (path !== undefined) await removeStaleSocket(path);
  server.listen(path === undefined ? listenAddress(address) : { path });
  await once(server, 'listening');
  if (path !== undefined) await setSocketMode(path, socketMode);
  server.on('error', onError);
  return addressOf(server);
}

/** The address that a server listens on. That of a unix socket is `unix:/PATH`, of the family `unix`. */
export function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (address === null) throw new Error('the listener does not listen');
  return typeof address === 'string' ? { address: `unix:${address}`, port: 0, family: 'unix' } : address;
}

/** An address for logs and messages. */
export function addressText({ address, port, family }: AddressInfo): string {
  if (family === 'unix') return address;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
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
