import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { type Listed, Roster } from './roster.ts';

export type ClientRequest = IncomingMessage | Http2ServerRequest;
export type ClientResponse = ServerResponse | Http2ServerResponse;

/** A request and its reply, from the request's headers to the reply's last byte. */
export type Exchange = Listed & {
  /** The listener has cut it. */
  cut: boolean;
  /** A question of another edge: it may stand for long, and no client waits for its answer. */
  peer: boolean;
  /** By `performance.now`. */
  begunAt: number;
} & (
    | { version: 1; req: IncomingMessage; res: ServerResponse; socket: Socket }
    | { version: 2; req: Http2ServerRequest; res: Http2ServerResponse; stream: ServerHttp2Stream }
  );

/** The running exchanges of one listener. */
export class Exchanges {
  readonly #open = new Roster<Exchange>();
  /** The exchanges of HTTP/1.1 connections; empty sets are kept for the next request. */
  readonly #perSocket = new WeakMap<Socket, Set<Exchange>>();
  readonly #onEnd: (exchange: Exchange) => void;
  /** HTTP/1.1 connections of other edges. */
  readonly #peerSockets = new WeakSet<Socket>();
  #peers = 0;

  /** @param onEnd called after an exchange has ended */
  constructor(onEnd: (exchange: Exchange) => void) {
    this.#onEnd = onEnd;
  }

  /** Running exchanges of clients. */
  get size(): number {
    return this.#open.size - this.#peers;
  }

  [Symbol.iterator](): Iterator<Exchange> {
    return this.#open[Symbol.iterator]();
  }

  /** Exchanges of one HTTP/1.1 connection; more than one if the client pipelines. */
  onSocket(socket: Socket): Exchange[] {
    return [...(this.#perSocket.get(socket) ?? [])];
  }

  /** Whether an HTTP/1.1 connection has had requests and has none now. That of another edge never is: its next question follows at once. */
  isIdle(socket: Socket): boolean {
    return this.#perSocket.get(socket)?.size === 0 && !this.#peerSockets.has(socket);
  }

  /** Whether an HTTP/1.1 connection has no request, though it may have had some. */
  isUnused(socket: Socket): boolean {
    return this.onSocket(socket).length === 0 && !this.#peerSockets.has(socket);
  }

  /** Whether an HTTP/1.1 connection has had no request. */
  isNew(socket: Socket): boolean {
    return !this.#perSocket.has(socket);
  }

  /** Tracks an exchange until its reply closes. */
  begin(exchange: Exchange): void {
    this.#open.add(exchange);
    if (exchange.peer) this.#peers += 1;
    if (exchange.peer && exchange.version === 1) this.#peerSockets.add(exchange.socket);
    const closing = exchange.version === 1 ? exchange.res : exchange.stream;
    closing.once('close', () => this.#end(exchange));
    // An error without a listener would end the process. The exchange learns of its end from `close`.
    exchange.req.on('error', ignore);
    exchange.res.on('error', ignore);
    if (exchange.version === 2) {
      failWhenAborted(exchange);
      return;
    }
    const siblings = this.#perSocket.get(exchange.socket);
    if (siblings) siblings.add(exchange);
    else this.#perSocket.set(exchange.socket, new Set([exchange]));
  }

  /** Closes the replies of a closed connection, those too whose turn had not come: each of them holds what its handler took. */
  abandon(socket: Socket): void {
    for (const exchange of this.onSocket(socket)) {
      if (exchange.version === 1 && exchange.res.socket === null && !exchange.res.writableFinished)
        exchange.res.emit('close');
      this.#end(exchange);
    }
  }

  #end(exchange: Exchange): void {
    if (!this.#open.delete(exchange)) return;
    if (exchange.peer) this.#peers -= 1;
    if (exchange.version === 1) this.#perSocket.get(exchange.socket)?.delete(exchange);
    this.#onEnd(exchange);
  }
}

/** Pairs a request with its response of the same protocol version. */
export function exchangeOf(req: ClientRequest, res: ClientResponse, peer = false): Exchange {
  const begun = { cut: false, peer, begunAt: performance.now(), position: -1 };
  if ('stream' in req && 'stream' in res) return { version: 2, req, res, stream: req.stream, ...begun };
  const { socket } = req;
  return { version: 1, req: req as IncomingMessage, res: res as ServerResponse, socket, ...begun };
}

/**
 * Node ends the body of a reset HTTP/2 request as if it were complete (`aborted`, then `end`), so that half an upload would pass for all of
 * it. This makes the body fail as in HTTP/1.1.
 */
function failWhenAborted({ req, stream }: Extract<Exchange, { version: 2 }>): void {
  stream.once('aborted', () => req.destroy(new Error('aborted')));
}

/** Cuts an exchange so that its reply never looks complete: resets its stream, or destroys its connection. */
export function cutExchange(exchange: Exchange, code = constants.NGHTTP2_INTERNAL_ERROR): void {
  exchange.cut = true;
  // Some clients take the end of a connection for the end of the stream, so a stream is reset.
  if (exchange.version === 2) exchange.stream.close(code);
  else exchange.socket.destroy();
}

/** How an exchange has ended: its whole reply was written, the listener cut it, or its client left. */
export function endOf(exchange: Exchange): 'finished' | 'cut' | 'left' {
  if (isComplete(exchange)) return 'finished';
  return exchange.cut ? 'cut' : 'left';
}

function ignore(): void {}

function isComplete(exchange: Exchange): boolean {
  if (exchange.version === 1) return exchange.res.writableFinished;
  // The compatibility layer emits `finish` after a reset too. A reply without a body counts as finished before its headers have left.
  return !exchange.cut && exchange.stream.writableFinished && exchange.stream.rstCode === 0;
}
