import type { Socket } from 'node:net';
import { bounded } from '../../http/boundary.ts';
import type { HeaderList } from '../header-list.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Dialer } from './dialer.ts';
import { HeadBuffer } from './head-buffer.ts';
import { type BodyConnection, Http1Body } from './http1-body.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

export interface Http1Answer {
  status: number;
  headers: HeaderList;
  body: Http1Body;
}

/** The owner of a connection: told when the connection can take a request, and when it is closed. */
export interface ConnectionOwner {
  onIdle(connection: Http1Connection): void;
  onClosed(connection: Http1Connection): void;
}

interface PendingRequest {
  request: string;
  settle: (answer: Http1Answer | 'unreadable') => void;
  fail: (reason: unknown) => void;
}

/** Memory for heads, and for bytes that arrive on an idle connection. */
const SCRATCH_BYTES = 16_384;
/**
 * A paused body's connection keeps this much ready to read into. The first bytes after a pause are copied out of it.
 */
const PAUSED_BYTES = 4096;
const IDLE_MS = 4000;
const MAX_IDLE_MS = 60_000;
/** An upstream closes an idle connection at the time it announced. A request sent just before would be lost. */
const KEEP_ALIVE_MARGIN_MS = 1000;
const MAX_INTERIM_ANSWERS = 16;

/** One HTTP/1.1 connection, with one request at a time. */
export class Http1Connection implements BodyConnection {
  readonly secure: boolean;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly #pausedBuffer = this.#scratch.subarray(0, PAUSED_BYTES);
  readonly #head = new HeadBuffer(this.#scratch);
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #pool: BufferPool;
  #timer: NodeJS.Timeout | undefined;
  #connected = false;
  #closed = false;
  #receivedAny = false;
  #interimAnswers = 0;
  #idleMs: number | undefined;
  #pending: PendingRequest | undefined;
  #body: Http1Body | undefined;

  /** @param connectMs milliseconds for TCP and TLS together */
  constructor(dialer: Dialer, connectMs: number, pool: BufferPool, owner: ConnectionOwner) {
    this.secure = dialer.secure;
    this.#pool = pool;
    this.#owner = owner;
    const onBytes = bounded((count: number, bytes: Uint8Array) => this.#onBytes(count, bytes), {
      onError: (error) => this.#fail(error),
    });
    this.#socket = dialer.dial({
      buffer: () => this.#writeTarget(),
      callback: (count, bytes) => onBytes(count, bytes) === true,
    });
    this.#timer = setTimeout(
      () => this.#fail(new UpstreamError('connect', `no connection within ${connectMs} ms`)),
      connectMs,
    );
    this.#socket
      // Before this event the peer is not authenticated.
      .once(this.secure ? 'secureConnect' : 'connect', () => {
        this.#connected = true;
        this.#send();
      })
      .on('error', (error) => this.#fail(asUpstreamError(error)))
      .on('end', () => this.#fail(this.#closedEarly()))
      .on('close', () => this.#fail(this.#closedEarly()));
  }

  /** Whether no byte of an answer to the last request has arrived. */
  get receivedNothing(): boolean {
    return !this.#receivedAny;
  }

  /**
   * Sends a request on a new or idle connection. Resolves with the head of the answer.
   * @param signal closes the connection if aborted before the head arrives; has no effect afterwards
   */
  request(request: string, signal: AbortSignal): Promise<Http1Answer | 'unreadable'> {
    const { promise, resolve, reject } = Promise.withResolvers<Http1Answer | 'unreadable'>();
    const onAbort = () => this.#fail(signal.reason);
    const ended = <T>(tell: (what: T) => void) => {
      return (what: T) => {
        signal.removeEventListener('abort', onAbort);
        this.#pending = undefined;
        tell(what);
      };
    };
    this.#receivedAny = false;
    this.#pending = { request, settle: ended(resolve), fail: ended(reject) };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else if (this.#closed) this.#pending.fail(this.#closedEarly());
    else if (this.#connected) this.#send();
    return promise;
  }

  read(): void {
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  done(): void {
    this.#body = undefined;
    this.#socket.resume();
    if (this.#idleMs === undefined) this.close();
    // Bytes that follow the body in the same read must be seen before the next request.
    else setImmediate(bounded(() => this.#becomeIdle(), { onError: (error) => this.#fail(error) }));
  }

  close(): void {
    this.#fail(new UpstreamError('reset', 'Breakwater closed the connection'));
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#socket.ref();
    if (this.#pending) this.#socket.write(this.#pending.request, 'latin1');
  }

  #becomeIdle(): void {
    if (this.#closed || this.#idleMs === undefined) return;
    this.#socket.unref();
    this.#timer = setTimeout(() => this.close(), this.#idleMs).unref();
    this.#owner.onIdle(this);
  }

  #writeTarget(): Buffer {
    if (this.#body) return this.#body.target ?? this.#pausedBuffer;
    return this.#head.target;
  }

  #onBytes(count: number, bytes: Uint8Array): boolean {
    this.#receivedAny = true;
    if (this.#body) return this.#onBodyBytes(this.#body, count, bytes);
    if (this.#pending && this.#connected) return this.#onHeadBytes(this.#pending, count);
    // These bytes answer no request, so that the answer to the next request could not be told from them.
    this.close();
    return false;
  }

  #onBodyBytes(body: Http1Body, count: number, bytes: Uint8Array): boolean {
    const due = Math.min(count, body.remaining);
    if (due < count) this.#idleMs = undefined;
    const more = body.onBytes(due, bytes);
    return this.#body === body ? more : !this.#closed;
  }

  #onHeadBytes(pending: PendingRequest, count: number): boolean {
    try {
      let found = this.#head.add(count);
      while (found) {
        const head = parseResponseHead(found.text);
        if (head.status >= 200) return this.#onHead(pending, head, found.rest);
        this.#interimAnswers += 1;
        if ((head.status !== 100 && head.status !== 103) || this.#interimAnswers > MAX_INTERIM_ANSWERS)
          return this.#endUnreadable(pending);
        found = this.#head.restartWith(found.rest);
      }
      return true;
    } catch (error) {
      this.#fail(asUpstreamError(error));
      return false;
    }
  }

  #onHead(
    pending: PendingRequest,
    { status, headers, length, persistent, keepAliveMs }: ResponseHead,
    rest: Buffer,
  ): boolean {
    if (length === undefined) return this.#endUnreadable(pending);
    const idleMs = keepAliveMs === undefined ? IDLE_MS : Math.min(keepAliveMs - KEEP_ALIVE_MARGIN_MS, MAX_IDLE_MS);
    this.#idleMs = persistent && idleMs > 0 && rest.length <= length ? idleMs : undefined;
    this.#interimAnswers = 0;
    const body = new Http1Body(this, this.#pool, length, rest.subarray(0, length));
    this.#head.reset();
    pending.settle({ status, headers, body });
    if (body.remaining === 0) this.done();
    else this.#body = body;
    return body.remaining === 0 && !this.#closed;
  }

  #endUnreadable(pending: PendingRequest): false {
    pending.settle('unreadable');
    this.close();
    return false;
  }

  #fail(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#body?.onConnectionLost(asUpstreamError(reason));
    this.#body = undefined;
    this.#pending?.fail(reason);
    this.#owner.onClosed(this);
  }

  #closedEarly(): UpstreamError {
    if (this.#body)
      return new UpstreamError('short', `the connection was closed ${this.#body.remaining} bytes before the end`);
    return new UpstreamError('short', 'the connection was closed without an answer');
  }
}
