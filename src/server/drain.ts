import type http from 'node:http';
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';
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
  sockets: ReadonlySet<Socket>;
  sessions: ReadonlySet<ServerHttp2Session>;
  exchanges: Exchanges;
  /** Milliseconds that exchanges may take to finish. */
  timeout: number;
  /** Milliseconds for requests that were on their way when the drain began. */
  grace: number;
}

/** The greatest stream id: this GOAWAY says "no more" without refusing what is on its way (RFC 9113 section 6.8). */
const LAST_STREAM = 2 ** 31 - 1;

/** The end of a listener. Not a listener any more, so no connection is added, but those that are open may still send a request. */
export class Drain {
  readonly done: Promise<DrainResult>;
  readonly #input: DrainInput;
  readonly #result: DrainResult = { finished: 0, cut: 0 };
  readonly #deadline: NodeJS.Timeout;
  readonly #goodbye: NodeJS.Timeout;
  #quiet: NodeJS.Timeout | undefined;

  constructor(input: DrainInput) {
    this.#input = input;
    const { server, sessions, exchanges, timeout, grace } = input;
    this.done = new Promise((resolve) => {
      server.once('close', () => {
        for (const timer of [this.#deadline, this.#goodbye, this.#quiet]) clearTimeout(timer);
        resolve(this.#result);
      });
    });
    this.#deadline = setTimeout(() => this.#cut(), timeout);
    // The server's own close() would end sessions at once, and with them requests that are on their way.
    tls.Server.prototype.close.call(server);
    // Missing in @types/node for this class; Node has it since 20.
    (server as Http2SecureServer & Pick<http.Server, 'closeIdleConnections'>).closeIdleConnections();
    for (const session of sessions) session.goaway(0, LAST_STREAM);
    this.#goodbye = setTimeout(() => server.close(), Math.min(grace, timeout));
    for (const exchange of exchanges) lastOnConnection(exchange);
    this.#watchQuiet();
  }

  /** A session whose handshake ended after the drain began. */
  session(session: ServerHttp2Session): void {
    const timer = setTimeout(() => session.close(), this.#input.grace);
    session.once('close', () => clearTimeout(timer));
  }

  began(exchange: Exchange): void {
    clearTimeout(this.#quiet);
    lastOnConnection(exchange);
  }

  ended(exchange: Exchange, complete: boolean): void {
    if (complete) this.#result.finished += 1;
    // Replies whose headers promised keep-alive before the drain began.
    if (exchange.version === 1 && this.#input.exchanges.on(exchange.socket).length === 0) exchange.socket.destroySoon();
    this.#watchQuiet();
  }

  /** When nothing is under way for the length of `grace`, what is still connected has nothing to say. */
  #watchQuiet(): void {
    if (this.#input.exchanges.size > 0) return;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#cut(), this.#input.grace);
  }

  #cut(): void {
    this.#result.cut += this.#input.exchanges.size;
    for (const socket of this.#input.sockets) socket.destroy();
  }
}

/** Makes Node answer with `Connection: close`, if the headers are not out yet. */
function lastOnConnection(exchange: Exchange): void {
  if (exchange.version === 1 && !exchange.res.headersSent) exchange.res.shouldKeepAlive = false;
}
