import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Owner } from './temporary-folder.ts';

export interface OddServer {
  url: string;
  port: number;
  /** Heads of the requests that came, as text. */
  heads: string[];
  /** Connections that are open. */
  sockets: ReadonlySet<Socket>;
  /** Connections since the start. */
  connects(): number;
}

/** What a probe without a canary looks for. */
const LISTED = '{"repositories":["app"]}';

/** A server that answers what no registry would. `answer` gets every request head; false: that one is answered as a ping. */
export async function startOddServer(
  owner: Owner,
  answer: (socket: Socket, head: string) => unknown,
): Promise<OddServer> {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  let connects = 0;
  const server = createServer((socket) => {
    connects += 1;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        if (/^GET \S*\/v2\/ HTTP/.test(head)) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
        else if (/^GET \S*\/v2\/_catalog\?n=1 HTTP/.test(head))
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${LISTED.length}\r\n\r\n${LISTED}`);
        else {
          heads.push(head);
          answer(socket, head);
        }
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, heads, sockets, connects: () => connects };
}
