import { type IncomingHttpHeaders, request } from 'node:http';

export interface Asked {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** How it ended: with the whole body, with a FIN too early, or with a reset. */
  end: 'whole' | 'short' | 'reset';
}

export interface AskOptions {
  headers?: Record<string, string>;
  body?: string | Buffer | Iterable<Buffer>;
  signal?: AbortSignal;
}

/** One request on a connection of its own. Rejects if there is no answer at all. */
export function ask(base: string, method: string, path: string, options: AskOptions = {}): Promise<Asked> {
  const { headers = {}, body, signal } = options;
  return new Promise((resolve, reject) => {
    // Node tells the request of a reset, even when the answer has begun, and the answer only that it was aborted.
    let reset = false;
    const req = request(base, { method, path, headers, agent: false, ...(signal ? { signal } : {}) }, (res) => {
      const chunks: Buffer[] = [];
      const done = (end: Asked['end']) =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks), end });
      req.off('error', reject).once('error', () => {
        reset = true;
      });
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.once('error', () => undefined);
      res.once('close', () => done(res.complete ? 'whole' : reset ? 'reset' : 'short'));
    });
    req.once('error', reject);
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return req.end(body);
    for (const part of body) req.write(part);
    req.end();
  });
}

/** Error code of an OCI error body. */
export function codeOf({ body }: Asked): string {
  return JSON.parse(body.toString()).errors[0].code;
}
