import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Owner } from '../helpers/temporary-folder.ts';

/** An address under which an edge is known to its peers, whatever its port is after a restart. It can be cut. */
export class PeerLine {
  /** The port of the edge now; undefined: it does not run. */
  port: number | undefined;
  #isCut = false;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer({ noDelay: true }, (socket) => this.#join(socket));

  static async start(owner: Owner): Promise<PeerLine> {
    const line = new PeerLine();
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    owner.teardown(() => {
      line.cut = true;
      line.#server.close();
    });
    return line;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get cut(): boolean {
    return this.#isCut;
  }

  set cut(cut: boolean) {
    this.#isCut = cut;
    if (cut) for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #join(near: Socket): void {
    near.on('error', () => undefined);
    if (this.#isCut || this.port === undefined) return void near.resetAndDestroy();
    // A small packet must not wait for the acknowledgement of the one before: that takes real time.
    const far = connect({ port: this.port, host: '127.0.0.1', noDelay: true });
    far.on('error', () => undefined);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      one.once('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
