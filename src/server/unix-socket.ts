import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';

const PREFIX = 'unix:';
/** Milliseconds for a process to accept a connection. One that does not is alive, too. */
const CONNECT_MS = 1_000;

/** The path of a unix socket; undefined: the address is none. @param address `unix:/PATH` */
export function socketPath(address: string): string | undefined {
  return address.startsWith(PREFIX) ? address.slice(PREFIX.length) : undefined;
}

/** Gives a connection over a unix socket an address: what is at its other end has none. A TLS socket needs the same. */
export function nameUnix(socket: Socket): void {
  Object.defineProperty(socket, 'remoteAddress', { value: PREFIX, configurable: true });
}

/**
 * Removes a socket that a process has left behind, such as one that was killed. Nothing else is removed: neither a file of another kind, nor
 * the socket of a process that runs.
 * @throws Error that says what is in the way
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`the socket ${path} cannot be made: ${error.message}`);
  });
  if (!facts) return;
  if (!facts.isSocket())
    throw new Error(`${path} is in the way of a socket, and is none; remove it, or name another path`);
  if (await isServed(path))
    throw new Error(`another process listens on the socket ${path}; end it, or name another path`);
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    // Its process has ended meanwhile.
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Lets users in by the mode of the socket. Until then, the umask of the process decides. */
export async function setSocketMode(path: string, mode: number): Promise<void> {
  await chmod(path, mode);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(CONNECT_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'ECONNREFUSED' || code === 'ENOENT') settle(false);
      else reject(new Error(`it is not known whether a process listens on the socket ${path}: ${message}`));
    });
    const settle = (served: boolean) => {
      socket.destroy();
      resolve(served);
    };
  });
}
