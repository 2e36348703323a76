import type { Socket } from 'node:net';
import type { HeaderList } from '../header-list.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import type { BufferPool } from './buffer-pool.ts';
import type { Dialer } from './dialer.ts';
import { HeadGatherer } from './head-gatherer.ts';
import { type BodyLine, LineBody } from './http1-body.ts';
import { parseResponseHead, type ResponseHead } from './response-head.ts';

export interface LineAnswer {
  status: number;
  headers: HeaderList;
  /** Bytes of the body. */
  length: number;
  body: LineBody;
}

/** Who owns a line. */
export interface LineOwner {
  idle(line: Line): void;
  closed(line: Line): void;
}

interface Exchange {
  request: string;
  settle: (answer: LineAnswer | 'unreadable') => void;
  fail: (reason: unknown) => void;
}

/** Heads, and bytes of idle connections, are read into this much. */
const SCRATCH_BYTES = 16_384;
/** What a paused body's connection is ready to read; the first bytes after a pause are copied out of it. */
const LOUNGE_BYTES = 4096;
const IDLE_MS = 4000;
const MAX_IDLE_MS = 60_000;
/** An upstream closes at the moment that it announced, and what was sent shortly before is lost. */
const KEEP_ALIVE_MARGIN_MS = 1000;
const MAX_INTERIM = 16;

/** One connection, with one request at a time. */
export class Line implements BodyLine {
  readonly secure: boolean;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly #lounge = this.#scratch.subarray(0, LOUNGE_BYTES);
  readonly #head = new HeadGatherer(this.#scratch);
  readonly #socket: Socket;
  readonly #owner: LineOwner;
  readonly #pool: BufferPool;
  #timer: NodeJS.Timeout | undefined;
  #connected = false;
  #closed = false;
  #heard = false;
  #interim = 0;
  #idleMs: number | undefined;
  #exchange: Exchange | undefined;
  #body: LineBody | undefined;

  /** @param connectMs milliseconds for TCP and TLS */
  constructor(dialer: Dialer, connectMs: number, pool: BufferPool, owner: LineOwner) {
    this.secure = dialer.secure;
    this.#pool = pool;
    this.#owner = owner;
    this.#socket = dialer.dial({
      buffer: () => this.#target(),
      callback: (count, bytes) => this.#received(count, bytes),
    });
    this.#timer = setTimeout(
      () => this.#lost(new UpstreamError('connect', `no connection within ${connectMs} ms`)),
      connectMs,
    );
    this.#socket
      .once(dialer.readyEvent, () => this.#ready())
      .on('error', (error) => this.#lost(asUpstreamError(error)))
      .on('end', () => this.#lost(this.#cutShort()))
      .on('close', () => this.#lost(this.#cutShort()));
  }

  /** Whether no byte of an answer to the last request came. */
  get silent(): boolean {
    return !this.#heard;
  }

  /**
   * Sends a request; resolves with the head of its answer. Only for a line that is new or idle.
   * @param signal ends the line until then, and does nothing after
   */
  ask(request: string, signal: AbortSignal): Promise<LineAnswer | 'unreadable'> {
    const { promise, resolve, reject } = Promise.withResolvers<LineAnswer | 'unreadable'>();
    const onAbort = () => this.#lost(signal.reason);
    const ended = <T>(tell: (what: T) => void) => {
      return (what: T) => {
        signal.removeEventListener('abort', onAbort);
        this.#exchange = undefined;
        tell(what);
      };
    };
    this.#heard = false;
    this.#exchange = { request, settle: ended(resolve), fail: ended(reject) };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else if (this.#closed) this.#exchange.fail(this.#cutShort());
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
    // Whatever else came with the end of the body must be seen before the next request.
    else setImmediate(() => this.#rest());
  }

  close(): void {
    this.#lost(new UpstreamError('reset', 'the connection was given up'));
  }

  #ready(): void {
    this.#connected = true;
    clearTimeout(this.#timer);
    this.#send();
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#socket.ref();
    if (this.#exchange) this.#socket.write(this.#exchange.request, 'latin1');
  }

  #rest(): void {
    if (this.#closed || this.#idleMs === undefined) return;
    this.#socket.unref();
    this.#timer = setTimeout(() => this.close(), this.#idleMs).unref();
    this.#owner.idle(this);
  }

  #target(): Buffer {
    if (this.#body) return this.#body.target ?? this.#lounge;
    return this.#head.target;
  }

  #received(count: number, bytes: Uint8Array): boolean {
    this.#heard = true;
    if (this.#body) return this.#receivedBody(this.#body, count, bytes);
    if (this.#exchange && this.#connected) return this.#receivedHead(this.#exchange, count);
    // Nobody asked: whatever this is, the next answer would not be the one to the next request.
    this.close();
    return false;
  }

  #receivedBody(body: LineBody, count: number, bytes: Uint8Array): boolean {
    const due = Math.min(count, body.left);
    if (due < count) this.#idleMs = undefined;
    const more = body.received(due, bytes);
    return this.#body === body ? more : !this.#closed;
  }

  #receivedHead(exchange: Exchange, count: number): boolean {
    try {
      let found = this.#head.add(count);
      while (found) {
        const head = parseResponseHead(found.text);
        if (head.status >= 200) return this.#answer(exchange, head, found.rest);
        this.#interim += 1;
        if ((head.status !== 100 && head.status !== 103) || this.#interim > MAX_INTERIM) return this.#refuse(exchange);
        found = this.#head.again(found.rest);
      }
      return true;
    } catch (error) {
      this.#lost(asUpstreamError(error));
      return false;
    }
  }

  #answer(
    exchange: Exchange,
    { status, headers, length, persistent, keepAliveMs }: ResponseHead,
    rest: Buffer,
  ): boolean {
    if (length === undefined) return this.#refuse(exchange);
    const idleMs = keepAliveMs === undefined ? IDLE_MS : Math.min(keepAliveMs - KEEP_ALIVE_MARGIN_MS, MAX_IDLE_MS);
    this.#idleMs = persistent && idleMs > 0 && rest.length <= length ? idleMs : undefined;
    this.#interim = 0;
    const body = new LineBody(this, this.#pool, length, rest.subarray(0, length));
    this.#head.reset();
    exchange.settle({ status, headers, length, body });
    if (body.left === 0) this.done();
    else this.#body = body;
    return body.left === 0 && !this.#closed;
  }

  #refuse(exchange: Exchange): false {
    exchange.settle('unreadable');
    this.close();
    return false;
  }

  #lost(reason: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#body?.fail(asUpstreamError(reason));
    this.#body = undefined;
    this.#exchange?.fail(reason);
    this.#owner.closed(this);
  }

  #cutShort(): UpstreamError {
    if (this.#body)
      return new UpstreamError('short', `the connection was closed ${this.#body.left} bytes before the end`);
    return new UpstreamError('short', 'the connection was closed without an answer');
  }
}
