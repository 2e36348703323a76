import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { timeLimit } from './time-limit.ts';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Milliseconds from sending to the headers. */
  headersAfter: number;
  /** Milliseconds from sending to the end. */
  took: number;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer | string;
  /** Milliseconds without a byte after which it fails. */
  timeout?: number;
}

/** A plain HTTP/1.1 client over TLS that retries nothing: what fails, fails. */
export class HttpsClient {
  readonly #base: string;
  readonly #agent: Agent;

  constructor(base: string, authority: string, options: { keepAlive?: boolean } = {}) {
    this.#base = base;
    this.#agent = new Agent({ ca: authority, keepAlive: options.keepAlive ?? true });
  }

  async ask(path: string, { method = 'GET', headers = {}, body, timeout = 30_000 }: Ask = {}): Promise<Reply> {
    const began = performance.now();
    const limit = timeLimit(timeout);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const call = request(new URL(path, this.#base), { method, headers, agent: this.#agent, timeout: limit }, resolve);
      call.on('timeout', () => call.destroy(new Error(`no byte for ${limit} ms`)));
      call.on('error', reject);
      call.end(body);
    });
    const headersAfter = performance.now() - began;
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part);
    const { statusCode: status = 0 } = response;
    const took = performance.now() - began;
    return { status, headers: response.headers, body: Buffer.concat(parts), headersAfter, took };
  }

  close(): void {
    this.#agent.destroy();
  }
}
