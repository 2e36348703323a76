import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Limits the connections of a server without refusing a new one. A new connection replaces the one that has been idle for longest, and if
 * none is idle, the one with the oldest request. A connection whose request headers are incomplete counts as idle.
 */
export function limitConnections(server: Server, max: number): void {
  // Sets keep the order of insertion: the first connection is the next to be closed.
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
  const onRequest = ({ socket }: IncomingMessage, res: ServerResponse) => {
    // A connection that was closed is in neither set, and must not come back.
    if (idle.delete(socket)) busy.add(socket);
    res.once('close', () => {
      if (busy.delete(socket)) idle.add(socket);
    });
  };
  // These listeners must run before the handler, which may answer at once.
  for (const event of ['request', 'checkContinue']) server.prependListener(event, onRequest);
}
