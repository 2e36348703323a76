import { once } from 'node:events';
import tls, { type TLSSocket } from 'node:tls';
import type { Owner } from '../../test/helpers/temporary-folder.ts';

/** An HTTP/1.1 connection that asks again as soon as it has its answer. It takes less CPU than Node's own client. */
export class KeepAliveConnection {
  readonly #socket: TLSSocket;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  static async open(owner: Owner, port: number, ca: string): Promise<KeepAliveConnection> {
    const socket = tls.connect({ host: '127.0.0.1', port, ca, servername: 'localhost', ALPNProtocols: ['http/1.1'] });
    owner.teardown(() => socket.destroy());
    await once(socket, 'secureConnect');
    return new KeepAliveConnection(socket);
  }

  /** @throws Error if an answer is not 200, or the connection ends */
  async ask(path: string, times: number): Promise<void> {
    const socket = this.#socket;
    const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n`;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let [left, received, expected] = [times, 0, 0];
    const onData = (chunk: Buffer) => {
      expected ||= lengthOf(chunk);
      received += chunk.length;
      if (Number.isNaN(expected)) reject(new Error(`not an answer: ${chunk.toString('latin1').slice(0, 500)}`));
      if (received < expected) return;
      [left, received, expected] = [left - 1, 0, 0];
      if (left > 0) socket.write(request);
      else resolve();
    };
    const onEnd = () => reject(new Error('the connection ended'));
    socket.on('data', onData).once('error', reject).once('close', onEnd);
    socket.write(request);
    try {
      await promise;
    } finally {
      socket.off('data', onData).off('error', reject).off('close', onEnd);
    }
  }
}

/** Length of an answer with its head, which is whole in the first chunk; NaN if the status is not 200. */
function lengthOf(chunk: Buffer): number {
  const text = chunk.toString('latin1');
  const bodyLength = /^HTTP\/1\.1 200 .*?\r\ncontent-length: (\d+)\r\n/is.exec(text)?.[1];
  const headLength = text.indexOf('\r\n\r\n') + 4;
  return headLength < 4 || bodyLength === undefined ? Number.NaN : headLength + Number(bodyLength);
}
