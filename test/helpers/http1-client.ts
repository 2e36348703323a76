import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';

export interface ClientTarget {
  port: number;
  /** PEM of the authority. */
  ca: string;
  /** Name in the Host header and for SNI. */
  host: string;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

/** A reply as it arrived, over either protocol version. */
export interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
  /** Whether it arrived whole. */
  complete: boolean;
  /** Milliseconds to the headers. */
  headersAfter: number;
}

/** What both clients can do, so that a test can be run with each. */
export interface Client {
  readonly version: 'HTTP/1.1' | 'HTTP/2';
  /** Rejects when there is no reply at all. */
  ask(path: string, ask?: Ask): Promise<Reply>;
  close(): void;
}

/** HTTP/1.1 over TLS; retries nothing. */
export class Http1Client implements Client {
  readonly version = 'HTTP/1.1';
  readonly target: ClientTarget;
  readonly agent: Agent;

  constructor(target: ClientTarget) {
    this.target = target;
    this.agent = new Agent({ keepAlive: true, ca: target.ca, servername: target.host });
  }

  async ask(path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Reply> {
    const began = performance.now();
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const { port, host } = this.target;
      const framing: Record<string, string> =
        body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const call = request(
        { host: '127.0.0.1', port, path, method, agent: this.agent, headers: { host, ...framing, ...headers } },
        resolve,
      );
      call.on('error', reject);
      call.end(body);
    });
    const headersAfter = performance.now() - began;
    const { body: received, complete } = await received1(response);
    return { status: response.statusCode ?? 0, headers: response.headers, body: received, complete, headersAfter };
  }

  close(): void {
    this.agent.destroy();
  }
}

function received1(response: IncomingMessage): Promise<{ body: Buffer; complete: boolean }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    // What arrived before a cut is of interest, and so is that it was cut.
    response.on('error', () => undefined);
    response.on('close', () => resolve({ body: Buffer.concat(chunks), complete: response.complete }));
  });
}
