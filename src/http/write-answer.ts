import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** A whole answer. The writer leaves out its body where none may follow. */
export interface Answer {
  status: number;
  headers: Readonly<Record<string, string | string[]>>;
  body: string | Buffer;
}

/**
 * Whether an answer may have a body (RFC 9110 section 6.4.1). Node throws at any attempt to write one where none may
 * follow, even an empty one.
 */
export function mayHaveBody(method: string | undefined, status: number): boolean {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return false;
  return method !== 'CONNECT' || status >= 300;
}

/** The HTTP/2 stream of a response; undefined over HTTP/1.1. Handlers know both kinds of responses as the first one. */
export function streamOf(response: ServerResponse | Http2ServerResponse): ServerHttp2Stream | undefined {
  return isStreamed(response) ? response.stream : undefined;
}

function isStreamed(response: object): response is Http2ServerResponse {
  return 'stream' in response;
}

/** Text for a field of a head: printable, and short enough for proxies. */
export function printable(text: string, maxLength: number): string {
  return text.replace(/[^\x20-\x7e]/g, ' ').slice(0, maxLength);
}

/** Text within the quotes of a header. */
export function quotable(text: string): string {
  return printable(text.replace(/["\\]/g, ' '), 512);
}

const MAX_REASON = 300;

/**
 * Writes the head of an answer.
 * @param reason is added to the status line, of which HTTP/2 has none
 * @returns whether a body may follow
 */
export function writeHead(
  response: ServerResponse | Http2ServerResponse,
  { status, headers, reason }: Omit<Answer, 'body'> & { reason?: string | undefined },
): boolean {
  if (reason !== undefined && !isStreamed(response))
    response.statusMessage = `${STATUS_CODES[status]}: ${printable(reason, MAX_REASON)}`;
  // RFC 9110 section 8.6: such answers must not name a length. Clients of HTTP/2 reset the stream.
  const { 'content-length': _, ...lengthless } = headers;
  const allowed = status < 200 || status === 204 ? lengthless : headers;
  // The two kinds of responses have the same method, but its overloads differ.
  (response as ServerResponse).writeHead(status, allowed);
  return mayHaveBody(response.req.method, status);
}

/** Writes a whole answer. */
export function writeAnswer(response: ServerResponse | Http2ServerResponse, answer: Answer): void {
  const withBody = writeHead(response, answer);
  (response as ServerResponse).end(withBody ? answer.body : undefined);
}

/** Destroys an HTTP/1.1 reply. If its turn in a pipeline has not come, its connection ends when it comes, after the replies before it. */
export function destroyReply(response: ServerResponse): void {
  if (response.socket === null) response.once('socket', (socket: Socket) => socket.destroySoon());
  response.destroy();
}
