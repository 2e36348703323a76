import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Test } from 'tap';
import { connectRaw } from './listener-harness.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** A client that speaks HTTP/2 frame by frame: Node's own does not open a stream once it has seen a GOAWAY. */
export class FrameClient {
  readonly #write: (bytes: Buffer) => void;
  readonly #next: () => Promise<Frame>;
  readonly destroy: () => void;
  /** Stops reading. */
  readonly pause: () => void;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<unknown>;

  private constructor(socket: Duplex, closed: Promise<unknown>, next: () => Promise<Frame>) {
    this.#write = (frame) => void socket.write(frame);
    this.#next = next;
    this.destroy = () => void socket.destroy();
    this.pause = () => void socket.pause();
    this.closed = closed;
  }

  /** @param window bytes that the server may send without being asked for more, on each stream and in all */
  static async connect(t: Test, port: number, window = 65_535): Promise<FrameClient> {
    const { socket, closed } = await connectRaw(t, port, { ALPNProtocols: ['h2'] });
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
    const client = new FrameClient(socket, closed, async () => {
      while (bytes.length < 9 || bytes.length < 9 + bytes.readUIntBE(0, 3)) await once(socket, 'data');
      const end = 9 + bytes.readUIntBE(0, 3);
      const frame = {
        type: bytes.readUInt8(3),
        flags: bytes.readUInt8(4),
        stream: bytes.readUInt32BE(5),
        payload: bytes.subarray(9, end),
      };
      bytes = bytes.subarray(end);
      return frame;
    });
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    client.send(FRAME.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(window)]));
    if (window > 65_535) client.send(FRAME.windowUpdate, 0, 0, uint32(window - 65_535));
    return client;
  }

  send(type: number, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    this.#write(Buffer.concat([head, payload]));
  }

  /** GET https://edge.test/ with END_HEADERS and END_STREAM. */
  get(stream: number): void {
    this.send(FRAME.headers, 0x5, stream, this.headers('GET'));
  }

  /** A header block for https://edge.test/. */
  headers(method: string): Buffer {
    return headerBlock([
      [':method', method],
      [':scheme', 'https'],
      [':authority', 'edge.test'],
      [':path', '/'],
    ]);
  }

  /** A request with exactly these fields, as literals that nothing has checked; the body, if any, follows in one frame. */
  request(stream: number, fields: readonly (readonly [string, string])[], body?: string): void {
    this.send(FRAME.headers, body === undefined ? 0x5 : 0x4, stream, headerBlock(fields));
    if (body !== undefined) this.send(FRAME.data, 0x1, stream, Buffer.from(body));
  }

  /** The head of a request whose body follows. */
  open(stream: number, fields: readonly (readonly [string, string])[]): void {
    this.send(FRAME.headers, 0x4, stream, headerBlock(fields));
  }

  /** The next frame of one of these types. */
  async receive(...types: number[]): Promise<Frame> {
    for (;;) {
      const frame = await this.#next();
      if (types.includes(frame.type)) return frame;
    }
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Fields as literals without indexing (RFC 7541 section 6.2.2). */
function headerBlock(fields: readonly (readonly [string, string])[]): Buffer {
  const literal = (text: string) => {
    const bytes = Buffer.from(text, 'latin1');
    if (bytes.length > 126) throw new Error('longer literals need another length form');
    return [Buffer.from([bytes.length]), bytes];
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), ...literal(name), ...literal(value)]));
}
