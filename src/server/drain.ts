import type { ServerHttp2Session } from 'node:http2';
import net, { type Socket } from 'node:net';
import { inBackground } from '../http/background.ts';
import type { ClientServer } from './client-server.ts';
import { cutExchange, type Exchange, type Exchanges, endOf } from './exchanges.ts';

export interface DrainResult {
  /** Exchanges whose whole reply was written after the drain began. */
  finished: number;
  /** Exchanges that were cut: at the timeout, or because their client had stalled or was gone. */
  cut: number;
}

export interface DrainInput {
  server: ClientServer;
  /** Every connection, from its first byte. */
  sockets: ReadonlySet<Socket>;
  /** Connections on which requests may come: after their handshake, as TLS sockets, if there is one. */
  readySockets: ReadonlySet<Socket & { alpnProtocol?: string | false | null }>;
  sessions: ReadonlySet<ServerHttp2Session>;
  exchanges: Exchanges;
  /** Milliseconds for running exchanges to finish. */
  timeout: number;
  /** Milliseconds for requests that were sent before the drain began. */
  grace: number;
  /** Called when no client gets a reply any more, some time before the connections of other edges are closed. */
  onLast: () => void;
  /** The drains of other listeners, before whose end the connections of other edges stay. Undefined: there are none. */
  others: Promise<unknown> | undefined;
}

/** Milliseconds for resets to be sent before their connections are destroyed. */
const RESET_MS = 50;

/**
 * Drains a listener that no longer accepts connections. Open connections may still send a request. Those of other edges stay open until the
 * end, so that these hear of the last pushes, and of the end itself.
 */
export class Drain {
  readonly done: Promise<DrainResult>;
  readonly #input: DrainInput;
  readonly #result: DrainResult = { finished: 0, cut: 0 };
  readonly #deadlineTimer: NodeJS.Timeout;
  readonly #closeTimer: NodeJS.Timeout;
  #quietTimer: NodeJS.Timeout | undefined;
  #lastTimer: NodeJS.Timeout | undefined;
  #othersEnded: boolean;

  constructor(input: DrainInput) {
    this.#input = input;
    const { server, readySockets, sessions, exchanges, timeout, grace, others } = input;
    this.#othersEnded = others === undefined;
    this.done = new Promise((resolve) => {
      server.once('close', () => {
        for (const timer of [this.#deadlineTimer, this.#closeTimer, this.#quietTimer, this.#lastTimer])
          clearTimeout(timer);
        // Node may emit this event before the replies on the last connections have closed.
        for (const exchange of exchanges) this.#count(exchange);
        // This ends Node's own checks of connections.
        server.close();
        resolve({ ...this.#result });
      });
    });
    this.#deadlineTimer = setTimeout(this.#cut, timeout);
    // The server's own close() would also end connections with a first request on its way, which clients do not repeat.
    net.Server.prototype.close.call(server);
    for (const socket of readySockets) if (exchanges.isIdle(socket)) socket.destroySoon();
    // A GOAWAY names the last stream served, so clients may repeat later streams. Node ignores streams after any GOAWAY, so the notice of
    // RFC 9113 section 6.8 (greatest stream id first) would leave them unanswered.
    for (const session of sessions) session.close();
    this.#closeTimer = setTimeout(
      inBackground('drain', () => this.#closeUnused()),
      Math.min(grace, timeout),
    );
    for (const exchange of exchanges) lastOnConnection(exchange);
    this.#watchQuiet();
    const onOthers = () => {
      this.#othersEnded = true;
      this.#watchQuiet();
    };
    void others?.then(onOthers, onOthers);
  }

  /** Serves the first requests of a session whose handshake ended during the drain. */
  session(session: ServerHttp2Session): void {
    const timer = setTimeout(
      inBackground('drain', () => session.close()),
      this.#input.grace,
    );
    session.once('close', () => clearTimeout(timer));
  }

  exchangeBegan(exchange: Exchange): void {
    if (exchange.peer) return;
    clearTimeout(this.#quietTimer);
    lastOnConnection(exchange);
  }

  exchangeEnded(exchange: Exchange): void {
    if (exchange.peer) return;
    this.#count(exchange);
    // The headers of these replies promised keep-alive before the drain began.
    if (exchange.version === 1 && this.#input.exchanges.isIdle(exchange.socket)) exchange.socket.destroySoon();
    this.#watchQuiet();
  }

  /**
   * Closes HTTP/1.1 connections without a request. The server's own close() would also take connections whose reply was handed to Node,
   * but has not left.
   */
  #closeUnused(): void {
    const { readySockets, exchanges } = this.#input;
    for (const socket of readySockets) if (socket.alpnProtocol !== 'h2' && exchanges.isUnused(socket)) socket.destroy();
  }

  /** After `grace` without an exchange the remaining connections are closed. */
  #watchQuiet(): void {
    if (this.#input.exchanges.size > 0 || !this.#othersEnded) return;
    clearTimeout(this.#quietTimer);
    this.#quietTimer = setTimeout(this.#cut, this.#input.grace);
  }

  #count(exchange: Exchange): void {
    if (exchange.peer) return;
    const end = endOf(exchange);
    if (end !== 'left') this.#result[end] += 1;
  }

  /** Cuts what is left. Whatever an exchange throws, the connections are closed. */
  readonly #cut = inBackground('drain', () => {
    const destroyAll = () => {
      for (const socket of this.#input.sockets) socket.destroy();
    };
    this.#lastTimer = setTimeout(inBackground('drain', destroyAll), RESET_MS);
    for (const exchange of this.#input.exchanges) if (!exchange.peer) void inBackground('drain', cutExchange)(exchange);
    this.#input.onLast();
  });
}

/** Makes Node send `Connection: close`, if the headers are not sent yet. */
function lastOnConnection(exchange: Exchange): void {
  if (exchange.version === 1 && !exchange.peer && !exchange.res.headersSent) exchange.res.shouldKeepAlive = false;
}
