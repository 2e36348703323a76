import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { bounded } from '../http/boundary.ts';
import {
  answerToClientError,
  type EdgeAnswer,
  failExchange,
  HEADERS_TOO_LONG,
  writeEdgeAnswer,
  writeRawAnswer,
} from './edge-answer.ts';
import {
  type ClientRequest,
  type ClientResponse,
  cutExchange,
  type Exchange,
  Exchanges,
  exchangeOf,
} from './exchanges.ts';
import { guardRequest, headerListBytes } from './request-guard.ts';

/**
 * Handles a request. `expectContinue`: the client waits for `100 Continue` before it sends the body. If the handler throws or its promise
 * rejects, its exchange fails.
 */
export type Handler = (req: ClientRequest, res: ClientResponse, expectContinue: boolean) => unknown;

export interface RequestReceiverOptions {
  exchanges: Exchanges;
  handler: Handler;
  /** Whether a request comes from another edge. */
  isPeer: (req: ClientRequest) => boolean;
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
  /** A request to change the protocol is answered as if it were none. Default: it is refused. */
  ignoresUpgrade?: boolean;
}

/** What a server of plain HTTP differs in. */
export interface PlainReceiverOptions {
  /** Default: exchanges that only the receiver looks at. */
  exchanges?: Exchanges;
  handler: (req: IncomingMessage, res: ServerResponse, expectContinue: boolean) => unknown;
  onError: (error: unknown) => void;
}

/** The same for a server of plain HTTP/1.1. Some clients ask every such server for HTTP/2, and go on without it. */
export function receivePlainRequests(server: Server, { exchanges, handler, onError }: PlainReceiverOptions): void {
  receiveRequests(server, {
    exchanges: exchanges ?? new Exchanges(() => undefined),
    handler: (req, res, expectContinue) => handler(req as IncomingMessage, res as ServerResponse, expectContinue),
    isPeer: () => false,
    onBegin: () => undefined,
    onMalformed: () => undefined,
    onError,
    headerBytes: () => Number.POSITIVE_INFINITY,
    lingerMs: 1000,
    ignoresUpgrade: true,
  });
}

/** Passes valid requests of the server to the handler and answers all others here. */
export function receiveRequests(server: Server, options: RequestReceiverOptions): void {
  const intake = new RequestReceiver(options);
  const { onError } = options;
  const exchange = { end: (_req: ClientRequest, res: ClientResponse) => failExchange(res), onError };
  server.on(
    'request',
    bounded((req: ClientRequest, res: ClientResponse) => intake.receive(req, res, false), exchange),
  );
  server.on(
    'checkContinue',
    bounded((req: ClientRequest, res: ClientResponse) => intake.receive(req, res, true), exchange),
  );
  server.on(
    'checkExpectation',
    bounded((req: ClientRequest, res: ClientResponse) => intake.refuseExpectation(req, res), exchange),
  );
  server.on(
    'connect',
    bounded((req: ClientRequest, connection: Duplex | ClientResponse) => intake.refuseTunnel(req, connection), {
      end: (_req, connection) => void connection.destroy(),
      onError,
    }),
  );
  server.on(
    'clientError',
    bounded((error: ParserError, socket: Socket) => intake.refuseUnparsed(error, socket), {
      end: (_error, socket) => void socket.destroy(),
      onError,
    }),
  );
}

/** What Node tells of a request that its parser refused. `rawPacket`: the bytes in which the parser stopped. */
interface ParserError extends NodeJS.ErrnoException {
  rawPacket?: Buffer;
}

/** The method of the first request of a connection; undefined if it came in an earlier packet. */
function methodOf({ rawPacket }: ParserError, { bytesRead }: Socket): string | undefined {
  if (rawPacket?.length !== bytesRead) return undefined;
  return /^[\r\n]*([^ ]+) /.exec(rawPacket.toString('latin1', 0, 64))?.[1];
}

class RequestReceiver {
  readonly #options: RequestReceiverOptions;
  /** Connections that end with their last answer: the parser continues with buffered bytes and repeats its errors. */
  readonly #ending = new WeakSet<Duplex>();

  constructor(options: RequestReceiverOptions) {
    this.#options = options;
  }

  receive(req: ClientRequest, res: ClientResponse, expectContinue: boolean): unknown {
    if (!this.#begin(req, res)) return undefined;
    const refusal = guardRequest(req, this.#options.headerBytes(), this.#options.ignoresUpgrade);
    return refusal ? this.#refuse(res, refusal) : this.#options.handler(req, res, expectContinue);
  }

  refuseExpectation(req: ClientRequest, res: ClientResponse): void {
    if (!this.#begin(req, res)) return;
    this.#refuse(res, { status: 417, message: 'the only expectation understood is 100-continue' });
  }

  /** Over HTTP/1.1 there is no response, but the connection itself, or a stream over it while a body is expected. */
  refuseTunnel(req: ClientRequest, connection: Duplex | ClientResponse): void {
    const answer = { status: 405, message: 'CONNECT is not supported' };
    if ('writeHead' in connection) {
      if (this.#begin(req, connection)) this.#refuse(connection, answer);
      return;
    }
    const { socket } = req;
    // Node has given up this connection: it tells nobody of errors, nor that the connection takes bytes again. A reply to an earlier
    // request that waits for that would never end, so the connection does.
    socket.on('error', () => socket.destroy());
    if (this.#ending.has(socket)) {
      socket.destroy();
      return;
    }
    this.#ending.add(socket);
    this.#options.onMalformed();
    this.#endWith(socket, connection, answer, this.#options.exchanges.isUnused(socket), 'CONNECT');
  }

  refuseUnparsed(error: ParserError, socket: Socket): void {
    if (this.#ending.has(socket)) return;
    this.#ending.add(socket);
    const { exchanges, onMalformed } = this.#options;
    const answer = answerToClientError(error.code);
    if (answer) onMalformed();
    const [first, second] = exchanges.onSocket(socket);
    // For the request with the broken body the answer is right.
    const inOrder = first === undefined || (second === undefined && !first.req.complete && !first.res.headersSent);
    const method = first?.req.method ?? (exchanges.isNew(socket) ? methodOf(error, socket) : undefined);
    this.#endWith(socket, socket, answer, inOrder, method);
  }

  /** @param inOrder the answer is not taken for the reply to an earlier request */
  #endWith(
    socket: Socket,
    connection: Duplex,
    answer: EdgeAnswer | undefined,
    inOrder: boolean,
    method: string | undefined,
  ): void {
    if (answer && inOrder && socket.writable) writeRawAnswer(connection, answer, this.#options.lingerMs, method);
    else socket.destroy();
  }

  /** False: the connection is ending, and this is no new request. */
  #begin(req: ClientRequest, res: ClientResponse): boolean {
    const exchange = exchangeOf(req, res, this.#options.isPeer(req));
    if (exchange.version === 1 && this.#ending.has(exchange.socket)) return false;
    this.#options.exchanges.begin(exchange);
    // Nothing follows an error of a reply, such as one written to after its client has left.
    res.on('error', () => {
      if (!res.destroyed) failExchange(res);
    });
    this.#options.onBegin(exchange);
    if (exchange.version === 2 && !exchange.stream.endAfterHeaders) this.#watchTrailers(exchange);
    return true;
  }

  /** Trailers are bounded as headers are: with longer ones, the body never counts as complete. Node's parser does so for HTTP/1.1. */
  #watchTrailers(exchange: Exchange & { version: 2 }): void {
    const { req, res, stream } = exchange;
    const onTrailers = (_trailers: unknown, _flags: number, rawTrailers: string[]) => {
      if (headerListBytes(rawTrailers) <= this.#options.headerBytes()) return;
      if (res.headersSent) {
        this.#options.onMalformed();
        cutExchange(exchange, constants.NGHTTP2_ENHANCE_YOUR_CALM);
        return;
      }
      this.#refuse(res, HEADERS_TOO_LONG);
      // Body bytes that were not read would keep the stream open.
      stream.once('finish', () => stream.destroy());
      req.destroy(new Error('the trailers are too long'));
    };
    stream.once('trailers', bounded(onTrailers, { end: () => failExchange(res), onError: this.#options.onError }));
  }

  #refuse(res: ClientResponse, answer: EdgeAnswer): void {
    this.#options.onMalformed();
    if (!('stream' in res)) this.#ending.add(res.req.socket);
    writeEdgeAnswer(res, answer);
  }
}
