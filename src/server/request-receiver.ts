import http2, { type Http2SecureServer } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { answerToClientError, type EdgeAnswer, HEADERS_TOO_LONG, writeAnswer, writeRawAnswer } from './edge-answer.ts';
import {
  type ClientRequest,
  type ClientResponse,
  cutExchange,
  type Exchange,
  type Exchanges,
  exchangeOf,
} from './exchanges.ts';
import { guardRequest, headerListBytes } from './request-guard.ts';

/**
 * Handles a request. `expectContinue`: the client waits for `100 Continue` before it sends the body. A stalled client is cut; its response
 * emits `timeout` just before.
 */
export type Handler = (req: ClientRequest, res: ClientResponse, expectContinue: boolean) => void;

export interface RequestReceiverOptions {
  exchanges: Exchanges;
  handler: Handler;
  /** Called with each new exchange. */
  onBegin: (exchange: Exchange) => void;
  /** Called for each request that never reaches the handler. */
  onMalformed: () => void;
  /** Called with exceptions of the handler. */
  onError: (error: unknown) => void;
  /** Bytes of an HTTP/2 header list and of its trailers. */
  headerBytes: () => number;
  /** Milliseconds that a refused connection may take to end. */
  lingerMs: number;
}

/** Passes valid requests of the server to the handler and answers all others here. */
export function receiveRequests(server: Http2SecureServer, options: RequestReceiverOptions): void {
  const intake = new RequestReceiver(options);
  server.on('request', (req, res) => intake.receive(req, res, false));
  server.on('checkContinue', (req, res) => intake.receive(req, res, true));
  server.on('checkExpectation', (req: ClientRequest, res: ClientResponse) => intake.refuseExpectation(req, res));
  server.on('connect', (_req: ClientRequest, connection: Duplex | ClientResponse) => intake.refuseTunnel(connection));
  server.on('clientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => intake.refuseUnparsed(error, socket));
}

class RequestReceiver {
  readonly #options: RequestReceiverOptions;
  /** Connections that end with their last answer: the parser continues with buffered bytes and repeats its errors. */
  readonly #ending = new WeakSet<Duplex>();

  constructor(options: RequestReceiverOptions) {
    this.#options = options;
  }

  receive(req: ClientRequest, res: ClientResponse, expectContinue: boolean): void {
    if (!this.#begin(req, res)) return;
    const refusal = guardRequest(req, this.#options.headerBytes());
    if (refusal) {
      this.#refuse(res, refusal);
      return;
    }
    try {
      this.#options.handler(req, res, expectContinue);
    } catch (error) {
      this.#options.onError(error);
      failExchange(res);
    }
  }

  refuseExpectation(req: ClientRequest, res: ClientResponse): void {
    if (!this.#begin(req, res)) return;
    this.#refuse(res, { status: 417, message: 'the only expectation understood is 100-continue' });
  }

  refuseTunnel(connection: Duplex | ClientResponse): void {
    const answer = { status: 405, message: 'CONNECT is not supported' };
    if ('writeHead' in connection) {
      this.#refuse(connection, answer);
    } else if (!this.#ending.has(connection)) {
      this.#options.onMalformed();
      writeRawAnswer(connection, answer, this.#options.lingerMs);
    }
  }

  refuseUnparsed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    if (this.#ending.has(socket)) return;
    this.#ending.add(socket);
    const answer = answerToClientError(error.code);
    if (answer) this.#options.onMalformed();
    // An answer between replies to earlier requests would be taken for one of them. For the request with the broken body the answer is
    // right.
    const [first, second] = this.#options.exchanges.onSocket(socket);
    const inOrder = first === undefined || (second === undefined && !first.req.complete && !first.res.headersSent);
    if (answer && inOrder && socket.writable) writeRawAnswer(socket, answer, this.#options.lingerMs);
    else socket.destroy();
  }

  /** False: the connection is ending, and this is no new request. */
  #begin(req: ClientRequest, res: ClientResponse): boolean {
    const exchange = exchangeOf(req, res);
    if (exchange.version === 1 && this.#ending.has(exchange.socket)) return false;
    this.#options.exchanges.begin(exchange);
    this.#options.onBegin(exchange);
    if (exchange.version === 2 && !exchange.stream.endAfterHeaders) this.#watchTrailers(exchange);
    return true;
  }

  /** Trailers are bounded as headers are: with longer ones, the body never counts as complete. Node's parser does so for HTTP/1.1. */
  #watchTrailers(exchange: Exchange & { version: 2 }): void {
    const { req, res, stream } = exchange;
    stream.once('trailers', (_trailers: unknown, _flags: number, rawTrailers: string[]) => {
      if (headerListBytes(rawTrailers) <= this.#options.headerBytes()) return;
      if (res.headersSent) {
        this.#options.onMalformed();
        cutExchange(exchange, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      }
      this.#refuse(res, HEADERS_TOO_LONG);
      // Body bytes that were not read would keep the stream open.
      stream.once('finish', () => stream.destroy());
      req.destroy(new Error('the trailers are too long'));
    });
  }

  #refuse(res: ClientResponse, answer: EdgeAnswer): void {
    this.#options.onMalformed();
    if (!('stream' in res)) this.#ending.add(res.req.socket);
    writeAnswer(res, answer);
  }
}

/** Ends an exchange whose handler threw, so that its reply never looks complete. */
function failExchange(res: ClientResponse): void {
  if (!res.headersSent) writeAnswer(res, { status: 500, code: 'UNKNOWN', message: 'internal error' });
  else if ('stream' in res) res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  else res.destroy();
}
