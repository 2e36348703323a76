import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';

/** Below those that the kernel gives to connections, which could take a port before the program listens on it. */
const [LOWEST, HIGHEST] = [20_000, 32_000];

/** Ports of 127.0.0.1 that are free at this moment, for programs that cannot choose their own. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) ports.push(await listenAnywhere(server));
  for (const server of servers) server.close();
  return ports;
}

async function listenAnywhere(server: Server): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST);
    server.listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** Whether a server accepts connections on a port of 127.0.0.1. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
