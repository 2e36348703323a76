import type { Call, ClientOptions } from '../client.ts';
import { UpstreamError } from '../upstream-error.ts';
import type { BufferPool } from './buffer-pool.ts';
import { Dialer } from './dialer.ts';
import { type Http1Answer, Http1Connection } from './http1-connection.ts';
import { requestHead } from './request-head.ts';

/**
 * `unreadable`: the answer is framed in a way that the reader does not support (chunked, no Content-Length, an
 * upgrade). It may be valid, so another client should repeat the request.
 */
export type ReaderAnswer = Http1Answer | 'unreadable';

export interface ReaderOptions extends Pick<ClientOptions, 'connectMs' | 'connections' | 'resolver'> {
  /** PEM; undefined for the system's authorities. */
  ca: string | string[] | undefined;
  pool: BufferPool;
}

/**
 * Sends GET requests to one origin over HTTP/1.1. Made for large bodies, which are read straight into pooled memory.
 */
export class Reader {
  readonly #host: string;
  readonly #dialer: Dialer;
  readonly #options: ReaderOptions;
  readonly #connections = new Set<Http1Connection>();
  /** Idle connections, the one used last at the end. */
  readonly #idle: Http1Connection[] = [];
  readonly #owner = {
    onIdle: (connection: Http1Connection) => this.#onIdle(connection),
    onClosed: (connection: Http1Connection) => this.#onClosed(connection),
  };
  #destroyed = false;

  constructor(origin: URL, options: ReaderOptions) {
    this.#host = origin.host;
    this.#dialer = new Dialer(origin, options.ca, options.resolver);
    this.#options = options;
  }

  /**
   * Resolves at the head of the answer. The body must be started or destroyed, else its connection is lost. The signal
   * has no effect after the head.
   * @throws UpstreamError when there is no answer; the signal's reason when it was aborted
   */
  async get({ path, headers, signal }: Pick<Call, 'path' | 'headers' | 'signal'>): Promise<ReaderAnswer> {
    signal.throwIfAborted();
    const request = requestHead(this.#host, path, headers);
    return (await this.#requestOnIdle(request, signal)) ?? (await this.#requestOnNew(request, signal));
  }

  /** Number of idle connections. */
  idle(): number {
    return this.#idle.length;
  }

  /** Takes no more requests. Each connection closes when its body is done. */
  closeWhenDone(): void {
    this.#destroyed = true;
    for (const connection of [...this.#idle]) connection.close();
  }

  /** Closes all connections, so that their bodies fail. */
  destroy(): void {
    this.#destroyed = true;
    for (const connection of [...this.#connections]) connection.close();
  }

  /**
   * Sends a request on an idle connection; undefined when there is none, or when the upstream has closed it meanwhile.
   */
  async #requestOnIdle(request: string, signal: AbortSignal): Promise<ReaderAnswer | undefined> {
    const connection = this.#idle.pop();
    if (!connection) return undefined;
    try {
      return await connection.request(request, signal);
    } catch (error) {
      // RFC 9112 section 9.3.1: GET is idempotent, and no byte of an answer was seen, so that the request may be
      // repeated.
      const stale = error instanceof UpstreamError && connection.receivedNothing;
      if (stale && !signal.aborted && !this.#destroyed) return undefined;
      throw error;
    }
  }

  #requestOnNew(request: string, signal: AbortSignal): Promise<ReaderAnswer> {
    if (this.#destroyed) throw new UpstreamError('reset', 'the reader was closed');
    const { connections, connectMs, pool } = this.#options;
    if (this.#connections.size >= connections) this.#idle[0]?.close();
    if (this.#connections.size >= connections)
      throw new UpstreamError('saturated', `all ${connections} connections are in use`);
    const connection = new Http1Connection(this.#dialer, connectMs, pool, this.#owner);
    this.#connections.add(connection);
    return connection.request(request, signal);
  }

  #onIdle(connection: Http1Connection): void {
    if (this.#destroyed) connection.close();
    else this.#idle.push(connection);
  }

  #onClosed(connection: Http1Connection): void {
    this.#connections.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
  }
}
