import type { BodySource } from '../body/body-source.ts';
import type { HeaderList } from '../header-list.ts';
import type { Resolver } from '../resolver.ts';
import { UpstreamError } from '../upstream-error.ts';
import type { BufferPool } from './buffer-pool.ts';
import { Dialer } from './dialer.ts';
import { Line, type LineAnswer } from './http1-connection.ts';
import { requestHead } from './request-head.ts';

export interface ReaderCall {
  /** Path and query as sent. */
  path: string;
  headers: Record<string, string>;
  /** Bounds the time to the head; after it, it does nothing. */
  signal: AbortSignal;
}

/**
 * `unreadable`: it is framed in a way that the reader does not take (chunked, no Content-Length, an upgrade), though it may be sound:
 * to be asked for again by another client.
 */
export type ReaderAnswer =
  | { status: number; headers: HeaderList /** Bytes of the body. */; length: number; body: BodySource }
  | 'unreadable';

export interface ReaderOptions {
  /** PEM; undefined: the system's. */
  ca: string | string[] | undefined;
  /** Milliseconds for TCP and TLS. */
  connectMs: number;
  /** Connections at once; callers bound their requests to fewer, so that nothing ever queues. */
  connections: number;
  resolver: Resolver;
  pool: BufferPool;
}

/** GET from one origin over HTTP/1.1, made for large bodies: they are read straight into pooled memory. */
export class Reader {
  readonly counts = { connects: 0, reuses: 0, unreadable: 0 };
  readonly #host: string;
  readonly #dialer: Dialer;
  readonly #options: ReaderOptions;
  readonly #lines = new Set<Line>();
  /** The one used last is the last. */
  readonly #idle: Line[] = [];
  readonly #owner = { idle: (line: Line) => this.#keep(line), closed: (line: Line) => this.#forget(line) };
  #destroyed = false;

  constructor(origin: URL, options: ReaderOptions) {
    this.#host = origin.host;
    this.#dialer = new Dialer(origin, options.ca, options.resolver);
    this.#options = options;
  }

  /**
   * Resolves at the head of the answer. Its body must be started or destroyed, else its connection is lost.
   * @throws UpstreamError when there is no answer; the signal's reason when it was aborted
   */
  async get({ path, headers, signal }: ReaderCall): Promise<ReaderAnswer> {
    signal.throwIfAborted();
    const request = requestHead(this.#host, path, headers);
    const answer = (await this.#askAgain(request, signal)) ?? (await this.#askAnew(request, signal));
    if (answer === 'unreadable') this.counts.unreadable += 1;
    return answer;
  }

  /** Connections that wait for a request. */
  idle(): number {
    return this.#idle.length;
  }

  /** Takes no more requests; connections close when their bodies are done. */
  retire(): void {
    this.#destroyed = true;
    for (const line of [...this.#idle]) line.close();
  }

  /** Closes all connections; bodies under way fail. */
  async destroy(): Promise<void> {
    this.#destroyed = true;
    for (const line of [...this.#lines]) line.close();
  }

  /** By a connection that was kept; undefined if there is none, or it turned out to be closed by the upstream meanwhile. */
  async #askAgain(request: string, signal: AbortSignal): Promise<LineAnswer | 'unreadable' | undefined> {
    const line = this.#idle.pop();
    if (!line) return undefined;
    this.counts.reuses += 1;
    try {
      return await line.ask(request, signal);
    } catch (error) {
      // RFC 9112 section 9.3.1: GET is idempotent, and nothing of an answer was seen.
      const stale = error instanceof UpstreamError && line.silent;
      if (stale && !signal.aborted && !this.#destroyed) return undefined;
      throw error;
    }
  }

  #askAnew(request: string, signal: AbortSignal): Promise<LineAnswer | 'unreadable'> {
    if (this.#destroyed) throw new UpstreamError('reset', 'the reader was closed');
    const { connections, connectMs, pool } = this.#options;
    if (this.#lines.size >= connections) this.#idle[0]?.close();
    if (this.#lines.size >= connections)
      throw new UpstreamError('saturated', `all ${connections} connections are in use`);
    const line = new Line(this.#dialer, connectMs, pool, this.#owner);
    this.#lines.add(line);
    this.counts.connects += 1;
    return line.ask(request, signal);
  }

  #keep(line: Line): void {
    if (this.#destroyed) line.close();
    else this.#idle.push(line);
  }

  #forget(line: Line): void {
    this.#lines.delete(line);
    const index = this.#idle.indexOf(line);
    if (index >= 0) this.#idle.splice(index, 1);
  }
}
