import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Bounds the connections of a server and still lets every new one in: the connection goes that has had no request for the longest time,
 * and if all have one under way, the one whose request is the oldest. A connection whose request has not arrived whole counts as idle.
 */
export function limitConnections(server: Server, max: number): void {
  // Sets keep the order in which things were added: the first is the next to go.
  const idle = new Set<Socket>();
  const busy = new Set<Socket>();
  const forget = (socket: Socket) => idle.delete(socket) || busy.delete(socket);

  server.on('connection', (socket: Socket) => {
    if (idle.size + busy.size >= max) {
      const [first] = idle.size > 0 ? idle : busy;
      if (first) forget(first);
      first?.destroy();
    }
    idle.add(socket);
    socket.once('close', () => forget(socket));
  });
  // Before the handler, which may answer at once.
  server.prependListener('request', ({ socket }: IncomingMessage, res: ServerResponse) => {
    // An evicted connection is in neither set, and does not come back.
    if (idle.delete(socket)) busy.add(socket);
    res.once('close', () => {
      if (busy.delete(socket)) idle.add(socket);
    });
  });
}
