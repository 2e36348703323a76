import type { BodySink, BodySource, Chunk } from '../body/body-source.ts';
import type { UpstreamError } from '../upstream-error.ts';
import { BUFFER_BYTES, type BufferPool, type BufferSize } from './buffer-pool.ts';
import { Intake } from './fill-buffer.ts';

/** The connection that a body comes by. */
export interface BodyLine {
  readonly secure: boolean;
  /** Lets bytes come. */
  read(): void;
  /** Stops them, outside of `received`. */
  pause(): void;
  /** All of the body has come: the connection is no longer the body's. */
  done(): void;
  close(): void;
}

/** What may still come by a TLS connection after it was told to stop: one read from the kernel and the record begun before it. */
const TLS_MARGIN = 81_920;
/** A buffer with less room than this is handed over: the next read would not be a large one. */
const TCP_MARGIN = 131_072;
/** Bytes that are rather copied into a new buffer than handed over by themselves. */
const FEW = 16_384;
/** A buffer is read into again after a chunk was cut from it if this share of it is still free. */
const AMPLE = 0.75;
/** A sink that paused for longer is that of a slow client; milliseconds. All clients pause for some while the edge is busy. */
const SLOW_MS = 100;
/** Bytes for which it then counts as one: the kernel takes some MB at once before it makes such a client's sink pause again. */
const SLOW_BYTES = 4_194_304;

/** The body of one answer: takes in what the connection reads and hands it to the sink, no faster than the sink wants it. */
export class LineBody implements BodySource {
  readonly #line: BodyLine;
  readonly #pool: BufferPool;
  readonly #intake: Intake;
  readonly #ready: Chunk[] = [];
  #left: number;
  #sink: BodySink | undefined;
  #failure: UpstreamError | undefined;
  #over = false;
  #reading = false;
  #paused = false;
  #pausedAt = 0;
  /** Bytes to go as a slow client's. */
  #slow = 0;
  #flushing = false;

  /**
   * @param length bytes
   * @param rest those of them that came with the head; copied
   */
  constructor(line: BodyLine, pool: BufferPool, length: number, rest: Buffer) {
    this.#line = line;
    this.#pool = pool;
    this.#intake = new Intake(pool);
    this.#left = length - rest.length;
    this.#intake.add(rest, rest.length, this.#keep);
    this.#cut();
    if (this.#left === 0) this.#intake.drop();
  }

  /** Bytes that have yet to come. */
  get left(): number {
    return this.#left;
  }

  /** Where the connection may write next; undefined: it should not hold memory for it. */
  get target(): Buffer | undefined {
    return this.#intake.target();
  }

  start(sink: BodySink): void {
    if (this.#over) return;
    this.#sink = sink;
    this.#pool.join();
    this.#goOn();
  }

  resume(): void {
    if (!this.#paused || this.#over) return;
    this.#paused = false;
    if (performance.now() - this.#pausedAt > SLOW_MS) this.#slowFor(SLOW_BYTES);
    this.#goOn();
  }

  destroy(): void {
    if (this.#over) return;
    this.#finish();
    if (this.#left > 0) this.#line.close();
    this.#intake.drop();
    for (const chunk of this.#ready.splice(0)) chunk.release();
  }

  /** Takes in what the connection read; called by it alone, and asked for `target` after it. False: no more for now. */
  received(count: number, bytes: Uint8Array): boolean {
    const copied = bytes !== this.#intake.target();
    this.#left -= count;
    this.#intake.add(bytes, count, this.#keep);
    if (this.#left === 0) {
      this.#cut();
      this.#intake.drop();
      this.#line.done();
      this.#pump();
      return false;
    }
    this.#reading =
      this.#wanted && (this.#line.secure ? this.#gather() : this.#deliver(copied && count === bytes.length));
    return this.#reading;
  }

  /** The connection was lost before the end. */
  fail(error: UpstreamError): void {
    if (this.#over || this.#left === 0) return;
    this.#failure = error;
    this.#pool.forget(this.#wake);
    this.#cut();
    this.#intake.drop();
    this.#pump();
  }

  get #wanted(): boolean {
    return this.#sink !== undefined && !this.#paused && !this.#over && this.#failure === undefined;
  }

  get #size(): BufferSize {
    return this.#slow > 0 || this.#left <= BUFFER_BYTES.small ? 'small' : this.#pool.fast;
  }

  /** TLS brings 16 KiB at a time: they are gathered until the buffer is full or there is no more for now. */
  #gather(): boolean {
    this.#flushSoon();
    if (this.#intake.room >= TLS_MARGIN) return true;
    if (this.#intake.gathered > FEW) return false;
    return this.#intake.roll(this.#size);
  }

  /**
   * TCP brings what its window holds, which may be less than a buffer: it is gathered as well.
   * @param first it was the small buffer that was filled, so that more will follow at once
   */
  #deliver(first: boolean): boolean {
    if (first || this.#intake.room >= TCP_MARGIN) {
      this.#flushSoon();
      return true;
    }
    this.#cut();
    this.#pump();
    // Most pauses end within the round. Where memory is plenty, the next buffer is there then, and not only after a further read.
    const soon = this.#wanted || (this.#paused && this.#slow === 0 && this.#pool.plenty);
    if (!soon || this.#intake.room < AMPLE * this.#intake.size) this.#intake.drop();
    return soon && this.#prepare() && this.#wanted;
  }

  /** Hands over what there is when the next round of the event loop is over and has not filled the buffer: the rest may be long in coming. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    // The first ends the round that is under way, whose reads are over.
    if (this.#line.secure) setImmediate(this.#flush);
    else setImmediate(() => setImmediate(this.#flush));
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    if (!this.#over) this.#goOn();
  };

  readonly #wake = (): void => this.#go();

  readonly #keep = (chunk: Chunk): void => {
    this.#ready.push(chunk);
  };

  #cut(): void {
    const chunk = this.#intake.cut();
    if (chunk) this.#ready.push(chunk);
  }

  /** Not to be called while bytes are being received: the connection may still write behind what is cut here. */
  #goOn(): void {
    this.#cut();
    this.#pump();
    this.#go();
  }

  /** Hands over what there is, and the end after it. */
  #pump(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#paused && !this.#over) {
      const chunk = this.#ready.shift();
      if (chunk === undefined) break;
      if (this.#slow > 0) this.#slowFor(Math.max(0, this.#slow - chunk.bytes.length));
      if (!sink.data(chunk) && !this.#over) this.#pause();
    }
    if (this.#over || this.#ready.length > 0) return;
    if (this.#left === 0) {
      this.#finish();
      sink.end();
    } else if (this.#failure) {
      this.#finish();
      sink.failed(this.#failure);
    }
  }

  #slowFor(bytes: number): void {
    if (this.#slow === 0 && bytes > 0) this.#pool.leave();
    if (this.#slow > 0 && bytes === 0) this.#pool.join();
    this.#slow = bytes;
  }

  #pause(): void {
    this.#paused = true;
    this.#pausedAt = performance.now();
  }

  /** Reads or not, as it is wanted now. */
  #go(): void {
    if (this.#over || this.#left === 0) return;
    const read = this.#wanted && this.#prepare();
    if (read) this.#line.read();
    else if (this.#reading) this.#line.pause();
    this.#reading = read;
  }

  /** Whether there is memory to read into; if not, it goes on when there is. */
  #prepare(): boolean {
    if (this.#intake.prepare(this.#size) || this.#intake.prepare('small')) return true;
    this.#pool.onFree(this.#wake);
    return false;
  }

  #finish(): void {
    this.#over = true;
    if (this.#sink && this.#slow === 0) this.#pool.leave();
    this.#pool.forget(this.#wake);
  }
}
