import type { Chunk } from '../upstream/body/body-source.ts';
import type { LaneJob } from './hash-job.ts';

/** Algorithms that a digest may name and the edge can compute. */
export type HashAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** What the main thread asks of the worker in one message. In a batch, a job begins before it is given bytes, and ends after that. */
export interface HashBatch {
  /** Jobs by number, and the algorithm of each. */
  begun: [job: number, algorithm: HashAlgorithm][];
  /** Pieces of bodies in order; `jobs[i]` is whose `pieces[i]` is. */
  jobs: number[];
  pieces: Uint8Array[];
  /** Jobs whose digest is asked for. */
  finished: number[];
  /** Jobs that nobody is interested in any more. */
  dropped: number[];
}

/** The answer to a batch, when all of it was read: the digests asked for, in hex. Batches are answered in the order they came in. */
export type HashReply = [job: number, hex: string][];

/** Bytes that the thread has to read, and what is to be done then. */
export interface Held {
  job: LaneJob;
  bytes: number;
  /** Undefined where they were copied. */
  chunk?: Chunk;
}

/** A message and its answer cost the main thread some 50 us, so bytes are collected: up to so many, … */
const BATCH_BYTES = 1_048_576;
/** … and so many pieces: a piece of few bytes may hold a whole pooled buffer. */
const BATCH_PIECES = 64;

/** The next batch, while it is put together. */
export class BatchBuilder {
  readonly batch: HashBatch = { begun: [], jobs: [], pieces: [], finished: [], dropped: [] };
  readonly held: Held[] = [];
  /** Memory that moves to the thread. */
  readonly copies: ArrayBuffer[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    const { begun, pieces, finished, dropped } = this.batch;
    return begun.length + pieces.length + finished.length + dropped.length === 0;
  }

  get isFull(): boolean {
    return this.#bytes >= BATCH_BYTES || this.held.length >= BATCH_PIECES;
  }

  begin(number: number, algorithm: HashAlgorithm): void {
    this.batch.begun.push([number, algorithm]);
  }

  add(number: number, job: LaneJob, chunk: Chunk, bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (bytes.buffer instanceof SharedArrayBuffer) {
      this.held.push({ job, bytes: bytes.length, chunk: chunk.retain() });
      this.#append(number, bytes);
    } else {
      const copy = new Uint8Array(bytes);
      this.held.push({ job, bytes: bytes.length });
      this.copies.push(copy.buffer);
      this.#append(number, copy);
    }
  }

  finish(number: number): void {
    this.batch.finished.push(number);
  }

  drop(number: number): void {
    this.batch.dropped.push(number);
  }

  /** A TLS upstream's bytes come in pieces of 16 KiB that lie one after the other in one buffer: they are one piece. */
  #append(number: number, bytes: Uint8Array): void {
    const { jobs, pieces } = this.batch;
    const last = pieces.length - 1;
    const before = pieces[last];
    const adjoins = before?.buffer === bytes.buffer && before.byteOffset + before.length === bytes.byteOffset;
    if (before && adjoins && jobs[last] === number) {
      pieces[last] = new Uint8Array(bytes.buffer, before.byteOffset, before.length + bytes.length);
      return;
    }
    jobs.push(number);
    pieces.push(bytes);
  }
}
