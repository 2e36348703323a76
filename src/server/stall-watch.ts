import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { inBackground } from '../http/background.ts';
import { cutExchange, type Exchange, type Exchanges } from './exchanges.ts';

/** The last known progress of an exchange. Times are those of `performance.now`. */
interface Progress {
  since: number;
  received: number;
  sent: number;
  drains: number;
}

/** Finds clients that neither send nor read what they owe. Waiting for an upstream does not count against the client. */
export class StallWatch {
  readonly #marks = new WeakMap<Exchange, Progress>();

  /** Watches an exchange from its first check on: most exchanges end before. */
  #watch(exchange: Exchange, now: number): void {
    const mark = { since: now, received: receivedOf(exchange), sent: sentOf(exchange), drains: 0 };
    this.#marks.set(exchange, mark);
    exchange.res.on('drain', () => {
      mark.drains += 1;
    });
  }

  /** The exchanges whose client has made no progress for `idleMs` milliseconds. */
  stalled(exchanges: Iterable<Exchange>, idleMs: number): Exchange[] {
    const now = performance.now();
    // A reset may not have left yet.
    return [...exchanges].filter((exchange) => !exchange.cut && this.#isStalled(exchange, now, idleMs));
  }

  #isStalled(exchange: Exchange, now: number, idleMs: number): boolean {
    const mark = this.#marks.get(exchange);
    if (!mark) {
      this.#watch(exchange, now);
      return false;
    }
    const received = receivedOf(exchange);
    const sent = sentOf(exchange) + mark.drains;
    const moved = received !== mark.received || sent !== mark.sent;
    if (moved || !(awaitsClient(exchange) || hasUnsent(exchange))) {
      Object.assign(mark, { since: now, received, sent });
      return false;
    }
    return now - mark.since >= idleMs;
  }
}

/** Cuts the clients of a plain HTTP server that made no progress for `idleMs` milliseconds; looks every `sweepMs`. */
export function cutStalledClients(server: Server, exchanges: Exchanges, idleMs: number, sweepMs: number): void {
  const stalls = new StallWatch();
  server.on('connection', (socket: Socket) => socket.once('close', () => exchanges.abandon(socket)));
  server.on('listening', () => {
    const sweep = () => {
      for (const exchange of stalls.stalled(exchanges, idleMs)) cutExchange(exchange);
    };
    const timer = setInterval(inBackground('clients', sweep), sweepMs).unref();
    server.once('close', () => clearInterval(timer));
  });
}

/** Whether the handler waits for more of the request body. */
function awaitsClient({ req }: Exchange): boolean {
  const wanted = req.readableFlowing === true || req.listenerCount('readable') > 0;
  return wanted && !req.complete && req.readableLength === 0;
}

/** Whether bytes of the reply wait for the client. A pipelined reply may have no socket yet. */
function hasUnsent(exchange: Exchange): boolean {
  if (exchange.version === 2) return exchange.stream.writableLength > 0;
  return exchange.res.socket !== null && exchange.res.writableLength > 0;
}

/** A number that changes with every byte that arrives. */
function receivedOf(exchange: Exchange): number {
  if (exchange.version === 1) return exchange.socket.bytesRead;
  // The socket of a session carries other streams too; the stream's own window changes with its body.
  return exchange.stream.destroyed ? 0 : (exchange.stream.state.localWindowSize ?? 0);
}

/** A number that changes as written bytes leave. */
function sentOf(exchange: Exchange): number {
  if (exchange.version === 2) return -exchange.stream.writableLength;
  return exchange.socket.bytesWritten - exchange.socket.writableLength;
}
