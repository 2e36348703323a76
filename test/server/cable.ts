import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';

/**
 * The cable between clients and a server. Once it is pulled, no byte passes either way, and no end learns of what happens to the other. Some of
 * what the server sends still finds room in the kernel, as on a real network.
 */
export class Cable {
  readonly #server: Server;
  readonly #pairs: [Socket, Socket][] = [];
  #pulled = false;

  private constructor(port: number, greeting: string) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      const server = dial({ port, host: '127.0.0.1', allowHalfOpen: true });
      server.write(greeting);
      this.#pairs.push([client, server]);
      this.#join(client, server);
      this.#join(server, client);
    });
  }

  /** A cable to a port of 127.0.0.1. @param greeting what the server gets first on each connection */
  static async to(t: Test, port: number, greeting = ''): Promise<Cable> {
    const cable = new Cable(port, greeting);
    cable.#server.listen(0, '127.0.0.1');
    await once(cable.#server, 'listening');
    t.teardown(() => cable.#close());
    return cable;
  }

  /** Where clients connect to. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  pull(): void {
    this.#pulled = true;
    for (const [client, server] of this.#pairs) {
      client.unpipe(server).pause();
      server.unpipe(client).pause();
    }
  }

  #join(from: Socket, to: Socket): void {
    from.pipe(to);
    from.on('error', () => {});
    from.on('close', () => {
      if (!this.#pulled) to.destroy();
    });
  }

  #close(): void {
    this.#server.close();
    for (const socket of this.#pairs.flat()) socket.destroy();
  }
}
