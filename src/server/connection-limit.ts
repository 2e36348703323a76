import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { bounded } from '../http/boundary.ts';

/**
 * Limits the connections of a server without refusing a new one. A new connection replaces the one that has been idle for longest, and if
 * none is idle, the one with the oldest request, of the address with the most such connections: a client that floods replaces its own. A
 * connection whose request headers are incomplete counts as idle.
 * @param max asked at each new connection. Where it has become less, as many are closed.
 */
export function limitConnections(server: Server, max: () => number, onError: (error: unknown) => void): void {
  // Sets keep the order of insertion: the first connection is the next to be closed.
  const idle = new Set<Socket>();
  const busy = new Set<Socket>();
  const forget = (socket: Socket) => idle.delete(socket) || busy.delete(socket);

  const onConnection = (socket: Socket) => {
    const most = max();
    while (idle.size + busy.size >= most) {
      const first = firstToGo(idle.size > 0 ? idle : busy);
      if (!first) break;
      forget(first);
      first.destroy();
    }
    idle.add(socket);
    socket.once('close', () => forget(socket));
  };
  server.on('connection', bounded(onConnection, { end: (socket) => void socket.destroy(), onError }));
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

function firstToGo(sockets: Set<Socket>): Socket | undefined {
  const byAddress = [...Map.groupBy(sockets, ({ remoteAddress }) => remoteAddress).values()];
  return byAddress.reduce<Socket[]>((most, some) => (some.length > most.length ? some : most), [])[0];
}
