import type { Chunk } from '../upstream/body/body-source.ts';
import type { HashJob } from './hash-job.ts';

/** The digest algorithms that can be computed. */
export type HashAlgorithm = 'sha256' | 'sha384' | 'sha512';

/**
 * One message from the main thread to the worker. Within a batch, a job begins before its bytes and ends after them.
 */
export interface HashBatch {
  /** New jobs by number, with their algorithm. */
  begun: [job: number, algorithm: HashAlgorithm][];
  /** Pieces of bodies in order; `pieces[i]` belongs to job `jobs[i]`. */
  jobs: number[];
  pieces: Uint8Array[];
  /** Jobs whose digest is wanted. */
  finished: number[];
  /** Jobs that were abandoned. */
  dropped: number[];
}

/** The worker's answer to a batch that it has read: the digests wanted, in hex. Batches are answered in order. */
export type HashReply = [job: number, hex: string][];

/** Bytes for the worker to read, and the chunk to release afterwards. */
export interface PendingPiece {
  job: HashJob;
  bytes: number;
  /** Undefined when the bytes were copied. */
  chunk?: Chunk;
}

/** A message and its answer cost the main thread some 50 us, so bytes are collected up to this many … */
const MAX_BATCH_BYTES = 1_048_576;
/** … and up to this many pieces: a piece of few bytes may hold a whole pooled buffer. */
const MAX_BATCH_PIECES = 64;

/** Collects the next batch. */
export class BatchBuilder {
  readonly batch: HashBatch = { begun: [], jobs: [], pieces: [], finished: [], dropped: [] };
  readonly pending: PendingPiece[] = [];
  /** Memory that moves to the worker. */
  readonly transferList: ArrayBuffer[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    const { begun, pieces, finished, dropped } = this.batch;
    return begun.length + pieces.length + finished.length + dropped.length === 0;
  }

  get isFull(): boolean {
    return this.#bytes >= MAX_BATCH_BYTES || this.pending.length >= MAX_BATCH_PIECES;
  }

  add(job: HashJob, chunk: Chunk, bytes: Buffer): void {
    this.#bytes += bytes.length;
    if (bytes.buffer instanceof SharedArrayBuffer) {
      this.pending.push({ job, bytes: bytes.length, chunk: chunk.retain() });
      this.#append(job.number, bytes);
    } else {
      const copy = new Uint8Array(bytes);
      this.pending.push({ job, bytes: bytes.length });
      this.transferList.push(copy.buffer);
      this.#append(job.number, copy);
    }
  }

  /**
   * The 16 KiB records of a TLS upstream often lie one after the other in one buffer. Such neighbours become one piece.
   */
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
