import type { Exchange } from './exchanges.ts';

/** How far an exchange had come when it was last seen to move. Times are epoch milliseconds. */
interface Progress {
  since: number;
  received: number;
  sent: number;
  drains: number;
}

/**
 * Finds clients that neither send what they owe nor take what waits for them. A reply that waits for an upstream, or a body that
 * waits for one, is not the client's fault and does not count.
 */
export class StallWatch {
  readonly #marks = new WeakMap<Exchange, Progress>();
  readonly #idleMs: () => number;

  /** @param idleMs how long a client may make no progress, in milliseconds; read at each look */
  constructor(idleMs: () => number) {
    this.#idleMs = idleMs;
  }

  /** Begins with an exchange when it is looked at for the first time: most are over before. */
  #watch(exchange: Exchange, now: number): void {
    const mark = { since: now, received: receivedOf(exchange), sent: sentOf(exchange), drains: 0 };
    this.#marks.set(exchange, mark);
    exchange.res.on('drain', () => {
      mark.drains += 1;
    });
  }

  /** Those of the exchanges whose client has made no progress for too long. */
  stalled(exchanges: Iterable<Exchange>, now: number): Exchange[] {
    return [...exchanges].filter((exchange) => this.#isStalled(exchange, now));
  }

  #isStalled(exchange: Exchange, now: number): boolean {
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
    return now - mark.since >= this.#idleMs();
  }
}

/** The handler wants more of the body than has come. */
function awaitsClient({ req }: Exchange): boolean {
  const wanted = req.readableFlowing === true || req.listenerCount('readable') > 0;
  return wanted && !req.complete && req.readableLength === 0;
}

/** Bytes of the reply wait for the client. A pipelined reply that waits for its turn has no socket yet. */
function hasUnsent(exchange: Exchange): boolean {
  if (exchange.version === 2) return exchange.stream.writableLength > 0;
  return exchange.res.socket !== null && exchange.res.writableLength > 0;
}

/** A number that changes with every byte that arrives. */
function receivedOf(exchange: Exchange): number {
  if (exchange.version === 1) return exchange.socket.bytesRead;
  // A session's socket moves for other streams too; the stream's own window shrinks and grows with its body.
  return exchange.stream.destroyed ? 0 : (exchange.stream.state.localWindowSize ?? 0);
}

/** A number that changes as written bytes leave. */
function sentOf(exchange: Exchange): number {
  if (exchange.version === 2) return -exchange.stream.writableLength;
  return exchange.socket.bytesWritten - exchange.socket.writableLength;
}
