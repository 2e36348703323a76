import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { makeCertificate } from '../../../src/lab/certificate.ts';

/** An HTTPS server that sends one piece so many times, as fast as it is taken. */
export interface TlsSource {
  url: string;
  ca: string;
  /** Bytes of bodies that were given to its sockets and taken by the kernel. */
  written(): number;
  requests(): number;
  /** Names that clients asked for. */
  names: (string | false | null | undefined)[];
  /** Whether clients resumed a session. */
  resumed: boolean[];
}

export async function startTlsSource(t: Test, piece: Buffer, pieces: number): Promise<TlsSource> {
  const { cert, key, ca } = await makeCertificate({ names: [], authority: true });
  let written = 0;
  let requests = 0;
  const server = createServer({ cert, key }, (_, response) => {
    requests += 1;
    response.writeHead(200, { 'content-length': piece.length * pieces });
    let sent = 0;
    const send = () => {
      while (sent < pieces) {
        sent += 1;
        const room = response.write(piece, () => {
          written += piece.length;
        });
        if (!room) return void response.once('drain', send);
      }
      response.end();
    };
    send();
  });
  const names: TlsSource['names'] = [];
  const resumed: boolean[] = [];
  server.on('secureConnection', (socket) => {
    names.push(socket.servername);
    resumed.push(socket.isSessionReused());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}`, ca, written: () => written, requests: () => requests, names, resumed };
}
