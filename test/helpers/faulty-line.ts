import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Owner } from './temporary-folder.ts';

/** What is wrong with the line from the server back to the client; nothing, if empty. Times in milliseconds. */
export interface Faults {
  /** Every piece comes so much later. */
  latency?: number;
  /** Bytes in a second. */
  bandwidth?: number;
  /** The end of the connection comes so much later. */
  slowClose?: number;
  /** No byte passes, and after this time the connection is closed; 0: never. */
  timeout?: number;
  /** The connection is reset (RST) after this time. */
  resetPeer?: number;
  /** Pieces of at most so many bytes, with a pause between them. */
  slicer?: { size: number; pause: number };
  /** The connection is closed (FIN) after so many bytes. */
  limitData?: number;
}

/** A TCP proxy that can be told to misbehave, also on connections that are open. */
export class FaultyLine {
  readonly #server: Server;
  readonly #to: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  #faults: Faults = {};
  #connections = 0;

  /** `to`: `127.0.0.1:PORT` */
  constructor(owner: Owner, to: string) {
    const [host = '', port] = to.split(':');
    this.#to = { host, port: Number(port) };
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
    owner.teardown(() => this.close());
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** `127.0.0.1:PORT` */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many connections there ever were. */
  get connections(): number {
    return this.#connections;
  }

  /** From the next byte on; `{}` mends it. Resets count from now, or from the start of a later connection. */
  set(faults: Faults): void {
    this.#faults = faults;
    if (faults.resetPeer === undefined) return;
    for (const socket of this.#sockets) this.#resetLater(socket, faults);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    this.#connections += 1;
    const server = dial({ ...this.#to, allowHalfOpen: true });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      // Both ends of a broken connection say so; the other end is all there is to tell.
      socket.on('error', () => other.destroy());
      socket.on('close', (failed) => {
        this.#sockets.delete(socket);
        if (failed) other.destroy();
      });
    }
    client.pipe(server);
    this.#resetLater(client, this.#faults);
    void this.#carry(server, client);
  }

  #resetLater(socket: Socket, faults: Faults): void {
    if (faults.resetPeer === undefined) return;
    setTimeout(() => {
      if (this.#faults === faults) socket.resetAndDestroy();
    }, faults.resetPeer).unref();
  }

  /** From the server to the client, piece by piece, as the faults of the moment say. */
  async #carry(from: Socket, to: Socket): Promise<void> {
    let carried = 0;
    try {
      for await (const bytes of from.iterator({ destroyOnReturn: false })) {
        for (const piece of this.#slices(bytes)) {
          const rest = (this.#faults.limitData ?? Number.POSITIVE_INFINITY) - carried;
          await this.#send(piece.subarray(0, Math.max(0, rest)), to);
          carried += piece.length;
          if (carried >= (this.#faults.limitData ?? Number.POSITIVE_INFINITY)) return void from.destroy();
        }
      }
    } catch (error) {
      // What a destroyed socket throws out of its iterator; `close` has told the other end.
      if (!from.destroyed) throw error;
    } finally {
      if (this.#faults.slowClose !== undefined) await delay(this.#faults.slowClose, undefined, { ref: false });
      to.end();
    }
  }

  *#slices(bytes: Buffer): Iterable<Buffer> {
    const size = this.#faults.slicer?.size ?? bytes.length;
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }

  async #send(piece: Buffer, to: Socket): Promise<void> {
    const { latency = 0, bandwidth, slicer, timeout } = this.#faults;
    if (timeout !== undefined) {
      await this.#silence(timeout, to);
      return;
    }
    const wait = latency + (slicer?.pause ?? 0) + (bandwidth ? (1000 * piece.length) / bandwidth : 0);
    if (wait > 0) await delay(wait, undefined, { ref: false });
    if (to.destroyed || piece.length === 0 || to.write(piece)) return;
    await Promise.race([once(to, 'drain'), once(to, 'close')]);
  }

  /** Ends when the client has gone or the fault is mended; the bytes are lost either way. */
  async #silence(timeout: number, to: Socket): Promise<void> {
    if (timeout > 0) setTimeout(() => to.destroy(), timeout).unref();
    if (!to.destroyed) await once(to, 'close');
  }
}
