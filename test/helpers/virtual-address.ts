import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { Owner } from './temporary-folder.ts';

/**
 * An address that can move from one edge to another, as a VIP does. To the edges its client is a machine of its own, with another
 * loopback address than those of other clients.
 */
export class VirtualAddress {
  readonly #server: Server;
  readonly #from: string;
  readonly #sockets = new Set<Socket>();
  #to: string;

  /** @param to `127.0.0.1:PORT`. @param from the client's own address, within 127.0.0.0/8 */
  constructor(owner: Owner, to: string, from: string) {
    this.#to = to;
    this.#from = from;
    this.#server = createServer((client) => this.#join(client));
    owner.teardown(() => this.#close());
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** `127.0.0.1:PORT`, for clients. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** New connections lead elsewhere; those that are open are lost. */
  move(to: string): void {
    this.#to = to;
    for (const socket of this.#sockets) socket.destroy();
  }

  #close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    const [host = '', port] = this.#to.split(':');
    const edge = dial({ host, port: Number(port), localAddress: this.#from });
    for (const [socket, other] of [
      [client, edge],
      [edge, client],
    ] as const) {
      this.#sockets.add(socket);
      // The other end learns of it as of any broken connection.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(edge);
    edge.pipe(client);
  }
}
