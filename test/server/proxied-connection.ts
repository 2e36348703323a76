import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { Test } from 'tap';

/** A TCP connection of a client, as a load balancer passes it on: the header goes out with the first bytes of TLS. */
export class ProxiedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #inBytes: boolean;
  #header: Buffer;

  /** @param inBytes what the client says first goes out byte by byte */
  constructor(socket: Socket, header: Buffer, inBytes: boolean) {
    super();
    this.#socket = socket;
    this.#header = header;
    this.#inBytes = inBytes;
    socket.on('data', (chunk) => this.push(chunk) || socket.pause());
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#header.length === 0) {
      this.#socket.write(chunk, done);
      return;
    }
    const bytes = Buffer.concat([this.#header, chunk]);
    this.#header = Buffer.alloc(0);
    if (this.#inBytes) void writeBytes(this.#socket, bytes).then(() => done(), done);
    else this.#socket.write(bytes, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

/** A connection of a client behind a load balancer that sends this header. */
export async function connectProxied(
  t: Test,
  port: number,
  header: Buffer | string,
  inBytes = false,
): Promise<ProxiedConnection> {
  const socket = await connectPlain(t, port);
  return new ProxiedConnection(socket, bytesOf(header), inBytes);
}

/** A TCP connection that has said nothing. @param from address of this end */
export async function connectPlain(t: Test, port: number, from?: string): Promise<Socket> {
  const own = from === undefined ? {} : { localAddress: from };
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, ...own });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** What comes back until the other end closes. */
export async function answerOn(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

function bytesOf(text: Buffer | string): Buffer {
  return typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
}

async function writeBytes(socket: Socket, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]));
    // So that they are not read together.
    await setImmediate();
  }
}
