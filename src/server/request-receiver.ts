import http2, { type Http2SecureServer } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { answerToClientError, type EdgeAnswer, writeAnswer, writeRawAnswer } from './edge-answer.ts';
import { type ClientRequest, type ClientResponse, type Exchange, type Exchanges, exchangeOf } from './exchanges.ts';
import { guardRequest } from './request-guard.ts';

/**
 * Takes a request. `expectContinue`: the client waits for `100 Continue` before it sends the body, and nothing was answered yet.
 * A client that stalls is cut; its response emits `timeout` just before.
 */
export type Handler = (req: ClientRequest, res: ClientResponse, expectContinue: boolean) => void;

export interface RequestReceiverOptions {
  exchanges: Exchanges;
  handler: Handler;
  /** Told of each exchange as it begins. */
  onBegin: (exchange: Exchange) => void;
  /** Told of each request that never reaches the handler. */
  onMalformed: () => void;
  /** Told of what a handler throws. */
  onError: (error: unknown) => void;
  /** Milliseconds that a refused connection may take to leave. */
  lingerMs: number;
}

/** Wires what the server emits about requests: the good ones reach the handler, the others are answered here. */
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
  /** Connections that end with the answer they were given: the parser goes on with what it has already read, and repeats its errors. */
  readonly #ending = new WeakSet<Duplex>();

  constructor(options: RequestReceiverOptions) {
    this.#options = options;
  }

  receive(req: ClientRequest, res: ClientResponse, expectContinue: boolean): void {
    if (!this.#begin(req, res)) return;
    const refusal = guardRequest(req);
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
    // Between the replies to earlier requests an answer would pass for one of them; to the request whose body is broken it is right.
    const [first, second] = this.#options.exchanges.onSocket(socket);
    const inOrder = first === undefined || (second === undefined && !first.req.complete && !first.res.headersSent);
    if (answer && inOrder && socket.writable) writeRawAnswer(socket, answer, this.#options.lingerMs);
    else socket.destroy();
  }

  /** False if the connection is ending and the request is none. */
  #begin(req: ClientRequest, res: ClientResponse): boolean {
    const exchange = exchangeOf(req, res);
    if (exchange.version === 1 && this.#ending.has(exchange.socket)) return false;
    this.#options.exchanges.begin(exchange);
    this.#options.onBegin(exchange);
    return true;
  }

  #refuse(res: ClientResponse, answer: EdgeAnswer): void {
    this.#options.onMalformed();
    if (!('stream' in res)) this.#ending.add(res.req.socket);
    writeAnswer(res, answer);
  }
}

/** The end of an exchange whose handler threw: never one that looks complete. */
function failExchange(res: ClientResponse): void {
  if (!res.headersSent) writeAnswer(res, { status: 500, code: 'UNKNOWN', message: 'internal error' });
  else if ('stream' in res) res.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  else res.destroy();
}
