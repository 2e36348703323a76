import type { BodySink, Chunk } from '../body/body-source.ts';
import { StreamedBody } from '../body/streamed-body.ts';
import type { UpstreamError } from '../upstream-error.ts';
import { BUFFER_BYTES, type BufferPool, type BufferSize } from './buffer-pool.ts';
import { FillBuffer } from './fill-buffer.ts';

/** The connection that a body arrives on. */
export interface BodyConnection {
  readonly secure: boolean;
  /** Starts reading. */
  read(): void;
  /** Stops reading; not to be called from within `onBytes`. */
  pause(): void;
  /** The body has arrived whole, and the connection no longer belongs to the body. */
  done(): void;
  close(): void;
}

/**
 * Free bytes that a read over TLS needs. After a pause, one read from the kernel and the record begun before it may
 * still arrive.
 */
const TLS_MIN_FREE = 81_920;
/** Free bytes that a read over TCP needs. With less room the next read would be a small one. */
const TCP_MIN_FREE = 131_072;
/** A pending chunk up to this size is copied into a new buffer instead of being handed over alone. */
const MAX_COPY = 16_384;
/** A buffer is filled further after a chunk was taken from it, if at least this share of it is free. */
const MIN_REUSABLE_SHARE = 0.75;
/**
 * A sink that pauses for longer belongs to a slow client; milliseconds. While Breakwater is busy, every client pauses
 * for some time.
 */
const SLOW_CLIENT_PAUSE_MS = 100;
/**
 * Bytes for which a client then counts as slow. The kernel accepts some MB at once before the sink of a slow client
 * pauses again.
 */
const SLOW_CLIENT_BYTES = 4_194_304;

/**
 * The body of one answer: collects the bytes that its connection reads, and delivers them as fast as the sink takes
 * them.
 */
export class Http1Body extends StreamedBody {
  readonly #connection: BodyConnection;
  readonly #pool: BufferPool;
  readonly #buffer: FillBuffer;
  readonly #readyChunks: Chunk[] = [];
  #remaining: number;
  #sink: BodySink | undefined;
  #failure: UpstreamError | undefined;
  #finished = false;
  #reading = false;
  #paused = false;
  #pausedAt = 0;
  /** Bytes for which the client still counts as slow. */
  #slowBytesLeft = 0;
  #flushScheduled = false;

  /**
   * @param length bytes of the body
   * @param rest bytes of the body that came with the head; they are copied
   */
  constructor(connection: BodyConnection, pool: BufferPool, length: number, rest: Buffer) {
    super();
    this.#connection = connection;
    this.#pool = pool;
    this.#buffer = new FillBuffer(pool);
    this.#remaining = length - rest.length;
    this.#buffer.add(rest, rest.length, this.#queueChunk);
    this.#queuePending();
    if (this.#remaining === 0) this.#buffer.release();
  }

  /** Bytes that have not arrived yet. */
  get remaining(): number {
    return this.#remaining;
  }

  /** Where the connection may write next; undefined when the connection should hold no memory for the body. */
  get target(): Buffer | undefined {
    return this.#buffer.target();
  }

  start(sink: BodySink): void {
    if (this.#finished) return;
    this.#sink = sink;
    this.#pool.addFastBody();
    this.#advance();
  }

  resume(): void {
    if (!this.#paused || this.#finished) return;
    this.#paused = false;
    if (performance.now() - this.#pausedAt > SLOW_CLIENT_PAUSE_MS) this.#setSlowBytes(SLOW_CLIENT_BYTES);
    this.#advance();
  }

  destroy(): void {
    if (this.#finished) return;
    this.#finish();
    if (this.#remaining > 0) this.#connection.close();
    this.#buffer.release();
    for (const chunk of this.#readyChunks.splice(0)) chunk.release();
  }

  /**
   * Takes bytes that the connection has read. The connection asks for `target` after each call. @returns false to pause
   */
  onBytes(count: number, bytes: Uint8Array): boolean {
    const copied = bytes !== this.#buffer.target();
    this.#remaining -= count;
    this.#buffer.add(bytes, count, this.#queueChunk);
    if (this.#remaining === 0) {
      this.#queuePending();
      this.#buffer.release();
      this.#connection.done();
      this.#deliverReady();
      return false;
    }
    this.#reading =
      this.#wantsBytes &&
      (this.#connection.secure ? this.#gatherTls() : this.#gatherTcp(copied && count === bytes.length));
    return this.#reading;
  }

  /** The connection was lost before the end of the body. */
  onConnectionLost(error: UpstreamError): void {
    if (this.#finished || this.#remaining === 0) return;
    this.#failure = error;
    this.#pool.stopWaiting(this.#onMemory);
    this.#queuePending();
    this.#buffer.release();
    this.#deliverReady();
  }

  get #wantsBytes(): boolean {
    return this.#sink !== undefined && !this.#paused && !this.#finished && this.#failure === undefined;
  }

  get #bufferSize(): BufferSize {
    return this.#slowBytesLeft > 0 || this.#remaining <= BUFFER_BYTES.small ? 'small' : this.#pool.fastSize;
  }

  /** TLS delivers 16 KiB at a time. They are collected until the buffer is full or no more bytes are there. */
  #gatherTls(): boolean {
    this.#scheduleFlush();
    if (this.#buffer.freeBytes >= TLS_MIN_FREE) return true;
    if (this.#buffer.pendingBytes > MAX_COPY) return false;
    return this.#buffer.moveToNewBuffer(this.#bufferSize);
  }

  /**
   * TCP delivers up to a window, which may be less than a buffer, so these bytes are collected too.
   * @param first a read filled the small buffer, so that more bytes follow at once
   */
  #gatherTcp(first: boolean): boolean {
    if (first || this.#buffer.freeBytes >= TCP_MIN_FREE) {
      this.#scheduleFlush();
      return true;
    }
    this.#queuePending();
    this.#deliverReady();
    // Most pauses end within the same round of the event loop. With spare memory the next buffer is ready by then, and
    // not only after a further read.
    const soon = this.#wantsBytes || (this.#paused && this.#slowBytesLeft === 0 && this.#pool.hasSpareMemory);
    if (!soon || this.#buffer.freeBytes < MIN_REUSABLE_SHARE * this.#buffer.capacity) this.#buffer.release();
    return soon && this.#ensureMemory() && this.#wantsBytes;
  }

  /** Delivers the pending bytes when one round of the event loop has not filled the buffer: the rest may take long. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // The first callback ends the round under way, whose reads are over.
    if (this.#connection.secure) setImmediate(this.#flush);
    else setImmediate(() => setImmediate(this.#flush));
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if (!this.#finished) this.#advance();
  };

  readonly #onMemory = (): void => this.#readOrPause();

  readonly #queueChunk = (chunk: Chunk): void => {
    this.#readyChunks.push(chunk);
  };

  #queuePending(): void {
    const chunk = this.#buffer.takeChunk();
    if (chunk) this.#readyChunks.push(chunk);
  }

  /** Not to be called from within `onBytes`: the connection may still write behind the bytes taken here. */
  #advance(): void {
    this.#queuePending();
    this.#deliverReady();
    this.#readOrPause();
  }

  /** Delivers the chunks that are ready, and then the end. */
  #deliverReady(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#paused && !this.#finished) {
      const chunk = this.#readyChunks.shift();
      if (chunk === undefined) break;
      if (this.#slowBytesLeft > 0) this.#setSlowBytes(Math.max(0, this.#slowBytesLeft - chunk.bytes.length));
      if (!sink.data(chunk) && !this.#finished) this.#pause();
    }
    if (this.#finished || this.#readyChunks.length > 0) return;
    if (this.#remaining === 0) {
      this.#finish();
      sink.end();
    } else if (this.#failure) {
      this.#finish();
      sink.failed(this.#failure);
    }
  }

  #setSlowBytes(bytes: number): void {
    if (this.#slowBytesLeft === 0 && bytes > 0) this.#pool.removeFastBody();
    if (this.#slowBytesLeft > 0 && bytes === 0) this.#pool.addFastBody();
    this.#slowBytesLeft = bytes;
  }

  #pause(): void {
    this.#paused = true;
    this.#pausedAt = performance.now();
  }

  /** Starts or stops reading, as the sink wants. */
  #readOrPause(): void {
    if (this.#finished || this.#remaining === 0) return;
    const read = this.#wantsBytes && this.#ensureMemory();
    if (read) this.#connection.read();
    else if (this.#reading) this.#connection.pause();
    this.#reading = read;
  }

  /** Makes sure that there is memory to read into; without memory, the body waits for the pool. */
  #ensureMemory(): boolean {
    if (this.#buffer.ensureRoom(this.#bufferSize) || this.#buffer.ensureRoom('small')) return true;
    this.#pool.waitForMemory(this.#onMemory);
    return false;
  }

  #finish(): void {
    this.#finished = true;
    if (this.#sink && this.#slowBytesLeft === 0) this.#pool.removeFastBody();
    this.#pool.stopWaiting(this.#onMemory);
  }
}
