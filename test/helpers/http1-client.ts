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

/** The Accept of clients that take every manifest, as most real ones do. A test that wants another one names it; empty counts as none. */
export const EVERY_MANIFEST = [
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ');

/** The headers that a client sends without being told. */
export function usualHeaders(path: string, method: string): Record<string, string> {
  return path.includes('/manifests/') && /^(GET|HEAD)$/.test(method) ? { accept: EVERY_MANIFEST } : {};
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
        {
          host: '127.0.0.1',
          port,
          path,
          method,
          agent: this.agent,
          headers: { host, ...framing, ...usualHeaders(path, method), ...headers },
        },
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
