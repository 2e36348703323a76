import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { Owner } from '../../test/helpers/temporary-folder.ts';

export interface ConcurrentResult {
  /** Answers of 200 with a whole body. */
  good: number;
  failed: number;
  /** The answer of the first request that failed. */
  firstFailure?: string;
  /** From the first request to the last answer, in milliseconds. */
  took: number;
}

/** Handshakes in parallel, because an accept queue is bounded. */
const BATCH = 50;
const TIMEOUT_MS = 30_000;

/** Clients with open TLS connections, which send their requests at the same time. */
export class ConcurrentClients {
  readonly #host: string;
  readonly #sockets: TLSSocket[];

  private constructor(host: string, sockets: TLSSocket[]) {
    this.#host = host;
    this.#sockets = sockets;
  }

  /** @param url `https://127.0.0.1:PORT`, whose certificate is not verified */
  static async gather(owner: Owner, url: string, count: number): Promise<ConcurrentClients> {
    const { hostname: host, port } = new URL(url);
    const sockets: TLSSocket[] = [];
    owner.teardown(() => {
      for (const socket of sockets) socket.destroy();
    });
    while (sockets.length < count) {
      const options = { host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] };
      const batch = Array.from({ length: Math.min(BATCH, count - sockets.length) }, () => connect(options));
      sockets.push(...batch);
      await Promise.all(batch.map((socket) => once(socket, 'secureConnect')));
    }
    return new ConcurrentClients(`${host}:${port}`, sockets);
  }

  /** All clients send the same request at once, and close after the answer. */
  async ask(path: string, accept: string): Promise<ConcurrentResult> {
    const request = `GET ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nAccept: ${accept}\r\nConnection: close\r\n\r\n`;
    const began = performance.now();
    const answers = await Promise.all(this.#sockets.map((socket) => answerTo(socket, request)));
    const took = performance.now() - began;
    const failures = answers.filter((answer) => !isGood(answer));
    const [first] = failures;
    return {
      good: answers.length - failures.length,
      failed: failures.length,
      took,
      ...(first === undefined ? {} : { firstFailure: first.slice(0, 300) }),
    };
  }
}

/** All bytes up to the end of the connection, or the error. */
function answerTo(socket: TLSSocket, request: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.on('data', (piece: string) => {
      text += piece;
    });
    socket.on('error', (error) => resolve(`${error.message}\n${text}`));
    socket.on('close', () => resolve(text));
    socket.write(request);
  });
}

function isGood(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, end + 2))?.[1];
  return answer.startsWith('HTTP/1.1 200 ') && answer.length - end - 4 === Number(length);
}
