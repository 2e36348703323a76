import { once } from 'node:events';
import type { Test } from 'tap';
import { connectRaw } from './listener-harness.ts';

export const FRAME = { headers: 1, goaway: 7 } as const;

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

  private constructor(write: (bytes: Buffer) => void, next: () => Promise<Frame>) {
    this.#write = write;
    this.#next = next;
  }

  static async connect(t: Test, port: number): Promise<FrameClient> {
    const { socket } = await connectRaw(t, port, { ALPNProtocols: ['h2'] });
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
    });
    const client = new FrameClient(
      (frame) => void socket.write(frame),
      async () => {
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
      },
    );
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    client.send(4, 0, 0, Buffer.alloc(0));
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

  /** GET https://edge.test/ with END_HEADERS and END_STREAM; RFC 7541 appendix A has the indices. */
  get(stream: number): void {
    const authority = Buffer.from('edge.test');
    this.send(
      FRAME.headers,
      0x5,
      stream,
      Buffer.concat([Buffer.from([0x82, 0x84, 0x87, 0x41, authority.length]), authority]),
    );
  }

  /** The next frame of a type. */
  async receive(type: number): Promise<Frame> {
    for (;;) {
      const frame = await this.#next();
      if (frame.type === type) return frame;
    }
  }
}
