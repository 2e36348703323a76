import http2, { type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import type { Exchange, Exchanges } from './exchanges.ts';

export interface DrainResult {
  /** Exchanges whose whole reply was written after the drain began. */
  finished: number;
  /** Exchanges that were still under way when time was up. */
  cut: number;
}

export interface DrainInput {
  server: Http2SecureServer;
  /** Every connection, from its first byte. */
  sockets: ReadonlySet<Socket>;
  /** Those whose handshake is over, as TLS sockets. */
  secureSockets: ReadonlySet<Socket>;
  sessions: ReadonlySet<ServerHttp2Session>;
  exchanges: Exchanges;
  /** Milliseconds that exchanges may take to finish. */
  timeout: number;
  /** Milliseconds for requests that were on their way when the drain began. */
  grace: number;
}

/** Milliseconds for resets to leave before their connections are destroyed. */
const RESET_MS = 50;

/** The end of a listener. Not a listener any more, so no connection is added, but those that are open may still send a request. */
export class Drain {
  readonly done: Promise<DrainResult>;
  readonly #input: DrainInput;
  readonly #result: DrainResult = { finished: 0, cut: 0 };
  readonly #deadlineTimer: NodeJS.Timeout;
  readonly #closeTimer: NodeJS.Timeout;
  #quietTimer: NodeJS.Timeout | undefined;
  #lastTimer: NodeJS.Timeout | undefined;

  constructor(input: DrainInput) {
    this.#input = input;
    const { server, secureSockets, sessions, exchanges, timeout, grace } = input;
    this.done = new Promise((resolve) => {
      server.once('close', () => {
        for (const timer of [this.#deadlineTimer, this.#closeTimer, this.#quietTimer, this.#lastTimer])
          clearTimeout(timer);
        resolve(this.#result);
      });
    });
    this.#deadlineTimer = setTimeout(() => this.#cut(), timeout);
    // The server's own close() also ends connections whose first request is on its way, which clients do not send again.
    tls.Server.prototype.close.call(server);
    for (const socket of secureSockets) if (exchanges.isIdle(socket)) socket.destroySoon();
    // A GOAWAY that names the last stream served: streams that cross it may be sent again. Node ignores streams after a GOAWAY of any
    // kind, so that the notice of RFC 9113 section 6.8 (greatest stream id first) would leave them without an answer.
    for (const session of sessions) session.close();
    this.#closeTimer = setTimeout(() => server.close(), Math.min(grace, timeout));
    for (const exchange of exchanges) lastOnConnection(exchange);
    this.#watchQuiet();
  }

  /** A session whose handshake ended after the drain began: its first requests are served. */
  session(session: ServerHttp2Session): void {
    const timer = setTimeout(() => session.close(), this.#input.grace);
    session.once('close', () => clearTimeout(timer));
  }

  exchangeBegan(exchange: Exchange): void {
    clearTimeout(this.#quietTimer);
    lastOnConnection(exchange);
  }

  exchangeEnded(exchange: Exchange, complete: boolean): void {
    if (complete) this.#result.finished += 1;
    // Replies whose headers promised keep-alive before the drain began.
    if (exchange.version === 1 && this.#input.exchanges.isIdle(exchange.socket)) exchange.socket.destroySoon();
    this.#watchQuiet();
  }

  /** When nothing is under way for the length of `grace`, what is still connected has nothing to say. */
  #watchQuiet(): void {
    if (this.#input.exchanges.size > 0) return;
    clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(() => this.#cut(), this.#input.grace);
  }

  #cut(): void {
    this.#result.cut += this.#input.exchanges.size;
    for (const exchange of this.#input.exchanges) {
      // Without a reset some clients take a connection that ends for the end of the stream.
      if (exchange.version === 2) exchange.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      else exchange.socket.destroy();
    }
    this.#lastTimer = setTimeout(() => {
      for (const socket of this.#input.sockets) socket.destroy();
    }, RESET_MS);
  }
}

/** Makes Node answer with `Connection: close`, if the headers are not out yet. */
function lastOnConnection(exchange: Exchange): void {
  if (exchange.version === 1 && !exchange.res.headersSent) exchange.res.shouldKeepAlive = false;
}
