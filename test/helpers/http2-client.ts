import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { type Ask, type Client, type ClientTarget, type Reply, usualHeaders } from './http1-client.ts';

/** HTTP/2 over one session; retries nothing. */
export class Http2Client implements Client {
  readonly version = 'HTTP/2';
  readonly target: ClientTarget;
  #session: ClientHttp2Session | undefined;

  constructor(target: ClientTarget) {
    this.target = target;
  }

  get session(): ClientHttp2Session {
    const { port, ca, host } = this.target;
    if (!this.#session || this.#session.destroyed || this.#session.closed) {
      // Room for all that a test wants to send at once: Node's 10 MB would refuse further streams by itself.
      this.#session = http2.connect(`https://127.0.0.1:${port}`, { ca, servername: host, maxSessionMemory: 1000 });
      // Streams tell of it too.
      this.#session.on('error', () => undefined);
    }
    return this.#session;
  }

  /** A stream with its pseudo-headers; `host` in `headers` becomes the authority. */
  open(path: string, { method = 'GET', headers = {} }: Ask = {}, endStream = true): ClientHttp2Stream {
    const { host = this.target.host, ...others } = headers;
    const all = { ...usualHeaders(path, method), ...others };
    return this.session.request({ ':method': method, ':path': path, ':authority': host, ...all }, { endStream });
  }

  async ask(path: string, ask: Ask = {}): Promise<Reply> {
    const began = performance.now();
    const stream = this.open(path, ask, ask.body === undefined);
    const reply = received2(stream, began);
    if (ask.body !== undefined) stream.end(ask.body);
    return reply;
  }

  close(): void {
    this.#session?.destroy();
  }
}

/** What a stream received until it closed. Rejects where there was no reply at all. */
export function received2(stream: ClientHttp2Stream, began = performance.now()): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders | undefined;
    let headersAfter = 0;
    let error: Error | undefined;
    let ended = false;
    stream.on('response', (fields) => {
      headers = fields;
      headersAfter = performance.now() - began;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      ended = true;
    });
    stream.on('error', (reason: Error) => {
      error = reason;
    });
    stream.on('close', () => {
      if (!headers) return reject(error ?? new Error(`no reply (RST_STREAM ${stream.rstCode})`));
      const complete = ended && stream.rstCode === http2.constants.NGHTTP2_NO_ERROR;
      resolve({ status: Number(headers[':status']), headers, body: Buffer.concat(chunks), complete, headersAfter });
    });
  });
}
