import { STATUS_CODES } from 'node:http';
import { constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { resetAfterReply } from '../http/reset-after-reply.ts';
import { destroyReply, mayHaveBody, writeAnswer } from '../http/write-answer.ts';
import type { ClientResponse } from './exchanges.ts';

/** An answer of the listener itself, before any handler sees the request. */
export interface EdgeAnswer {
  status: number;
  /** A code of distribution-spec "Error Codes"; UNSUPPORTED if no other fits. */
  code?: string;
  message: string;
}

export const HEADERS_TOO_LONG: EdgeAnswer = {
  status: 431,
  message: 'request line and headers are longer than is allowed',
};

/** Answers on a response object and ends an HTTP/1.1 connection. */
export function writeEdgeAnswer(res: ClientResponse, answer: EdgeAnswer): void {
  const body = errorBody(answer);
  const closing: Record<string, string> = 'stream' in res ? {} : { connection: 'close' };
  const headers = {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'content-length': String(Buffer.byteLength(body)),
    ...closing,
  };
  writeAnswer(res, { status: answer.status, headers, body });
  if ('stream' in res && !res.stream.endAfterHeaders && !res.req.complete) resetAfterReply(res.stream);
}

/** Ends an exchange whose handler failed, so that its reply never looks complete. */
export function failExchange(res: ClientResponse): void {
  if (!res.headersSent) writeEdgeAnswer(res, { status: 500, code: 'UNKNOWN', message: 'internal error' });
  else if (res.writableEnded) return;
  else if ('stream' in res) res.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else destroyReply(res);
}

/**
 * Answers on a connection without a response object and ends it. The client's data is read for `lingerMs`: closing with unread bytes makes
 * the kernel send a reset, which can overtake the answer.
 * @param method of the request; undefined: it is not known, so that it may be HEAD, and the answer has no body
 */
export function writeRawAnswer(socket: Duplex, answer: EdgeAnswer, lingerMs: number, method: string | undefined): void {
  const body = method === undefined ? '' : errorBody(answer);
  socket.on('error', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Error'}`,
      ...(body === '' ? [] : ['Content-Type: application/json']),
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      mayHaveBody(method, answer.status) ? body : '',
    ].join('\r\n'),
  );
  socket.resume();
  const cut = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(cut));
}

/** The answer to a request that Node's parser refused; undefined: the connection is gone. */
export function answerToClientError(code: string | undefined): EdgeAnswer | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return HEADERS_TOO_LONG;
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return { status: 413, message: 'chunk extensions are longer than is allowed' };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return { status: 408, message: 'the request took too long to arrive' };
  return code?.startsWith('HPE_') ? { status: 400, message: 'malformed request' } : undefined;
}

/** The JSON body (distribution-spec "Error Codes"). */
function errorBody({ code = 'UNSUPPORTED', message }: EdgeAnswer): string {
  return JSON.stringify({ errors: [{ code, message, detail: {} }] });
}
