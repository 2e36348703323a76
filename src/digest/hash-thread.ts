import type { Worker } from 'node:worker_threads';
import type { Chunk } from '../upstream/chunk.ts';
import { emptyBatch, type HashAlgorithm, type HashBatch, type HashReply } from './hash-batch.ts';
import { type HashLane, HashUnavailable, LaneJob } from './hash-job.ts';

/** A message and its answer cost the main thread some 50 us, so bytes are collected: up to so many, … */
const BATCH_BYTES = 1_048_576;
/** … so many pieces (a piece of few bytes may hold a whole pooled buffer), … */
const BATCH_PIECES = 64;
/** … and so many milliseconds. */
const BATCH_MS = 2;
/** Bytes that may wait in all, … */
const ALL_BYTES = 33_554_432;
/** … but of one job not more than the first, and always the second. */
const MOST_BYTES = 4_194_304;
const LEAST_BYTES = 262_144;

/** Bytes that the thread still has to read, and what is to be done then. */
interface Held {
  job: LaneJob;
  bytes: number;
  chunk?: Chunk;
}

/**
 * One life of the worker thread, which reads chunks where they lie. A chunk is released only after the thread has answered the batch it
 * was in, or has ended: even bytes of a job that was abandoned meanwhile. (Released earlier they would only spoil a digest that nobody
 * wants, since the thread's own reference keeps the memory alive; but so no proof is needed.)
 */
export class HashThread implements HashLane {
  readonly #worker: Worker;
  readonly #numbers = new Map<LaneJob, number>();
  readonly #jobs = new Map<number, LaneJob>();
  readonly #onEnd: (thread: HashThread, error: HashUnavailable) => void;
  /** Sent, and not answered yet. */
  readonly #posted: Held[][] = [];
  readonly #timer: NodeJS.Timeout;
  #lastNumber = 0;
  #batch = emptyBatch();
  #held: Held[] = [];
  #batchBytes = 0;
  #soon = false;
  #copies: ArrayBuffer[] = [];
  #proved = false;
  #cause: unknown;
  #ended = false;

  /** @param onEnd called once, when it has died or was closed, after its jobs were told */
  constructor(worker: Worker, onEnd: (thread: HashThread, error: HashUnavailable) => void) {
    this.#worker = worker;
    this.#onEnd = onEnd;
    this.#timer = setTimeout(() => this.#post(), BATCH_MS).unref();
    worker.unref();
    worker.on('message', (reply: HashReply) => this.#answered(reply));
    worker.on('messageerror', (error) => this.#fail(error));
    worker.on('error', (error) => {
      this.#cause ??= error;
    });
    // Only then is it certain that it reads no more.
    worker.on('exit', (status) => this.#exited(status));
  }

  /** Whether it has ever answered. */
  get proved(): boolean {
    return this.#proved;
  }

  get jobs(): number {
    return this.#jobs.size;
  }

  get share(): number {
    return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, ALL_BYTES / Math.max(1, this.#jobs.size)));
  }

  begin(algorithm: HashAlgorithm): LaneJob {
    const job = new LaneJob(this);
    this.#lastNumber += 1;
    this.#numbers.set(job, this.#lastNumber);
    this.#jobs.set(this.#lastNumber, job);
    this.#batch.begun.push([this.#lastNumber, algorithm]);
    return job;
  }

  add(job: LaneJob, chunk: Chunk, bytes: Buffer): void {
    const number = this.#numbers.get(job);
    if (number === undefined) throw new Error('a hash job went on after its end');
    if (bytes.buffer instanceof SharedArrayBuffer) {
      this.#held.push({ job, bytes: bytes.length, chunk: chunk.retain() });
      appendPiece(this.#batch, number, bytes);
    } else {
      const copy = new Uint8Array(bytes);
      this.#held.push({ job, bytes: bytes.length });
      this.#copies.push(copy.buffer);
      appendPiece(this.#batch, number, copy);
    }
    this.#batchBytes += bytes.length;
    if (this.#batchBytes >= BATCH_BYTES || this.#held.length >= BATCH_PIECES) this.#post();
    else this.#postSoon();
  }

  finish(job: LaneJob): void {
    const number = this.#numbers.get(job);
    if (number === undefined) return;
    this.#batch.finished.push(number);
    this.#post();
  }

  drop(job: LaneJob): void {
    const number = this.#numbers.get(job);
    if (number === undefined) return;
    this.#forget(job, number);
    this.#batch.dropped.push(number);
    this.#postSoon();
  }

  /** Resolves when the thread has ended, and with it all jobs. */
  async close(): Promise<void> {
    this.#cause ??= new Error('it was closed');
    // The process stays for its end.
    this.#worker.ref();
    await this.#worker.terminate();
  }

  #postSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    this.#timer.refresh();
  }

  #post(): void {
    this.#soon = false;
    const { begun, pieces, finished, dropped } = this.#batch;
    if (this.#ended || begun.length + pieces.length + finished.length + dropped.length === 0) return;
    // It keeps the process alive only while it owes an answer.
    if (this.#posted.length === 0) this.#worker.ref();
    this.#posted.push(this.#held);
    this.#worker.postMessage(this.#batch, this.#copies);
    this.#batch = emptyBatch();
    this.#held = [];
    this.#copies = [];
    this.#batchBytes = 0;
  }

  #answered(reply: HashReply): void {
    this.#proved = true;
    const held = this.#posted.shift() ?? [];
    if (this.#posted.length === 0 && this.#cause === undefined) this.#worker.unref();
    release(held);
    for (const [number, hex] of reply) {
      const job = this.#jobs.get(number);
      if (!job) continue;
      this.#forget(job, number);
      job.digested(hex);
    }
  }

  #forget(job: LaneJob, number: number): void {
    this.#numbers.delete(job);
    this.#jobs.delete(number);
  }

  #fail(error: unknown): void {
    this.#cause ??= error;
    void this.#worker.terminate();
  }

  #exited(status: number): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    const error = new HashUnavailable(`the thread that hashes ended with ${status}`, { cause: this.#cause });
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    this.#numbers.clear();
    for (const job of jobs) job.failed(error);
    for (const held of [...this.#posted.splice(0), this.#held]) release(held);
    this.#held = [];
    this.#onEnd(this, error);
  }
}

function release(held: readonly Held[]): void {
  for (const { job, bytes, chunk } of held) {
    chunk?.release();
    job.done(bytes);
  }
}

/** A TLS upstream's bytes come in pieces of 16 KiB that lie one after the other in one buffer: they are one piece. */
function appendPiece(batch: HashBatch, job: number, bytes: Uint8Array): void {
  const last = batch.pieces.length - 1;
  const before = batch.pieces[last];
  const goesOn =
    before?.buffer === bytes.buffer &&
    before.byteOffset + before.length === bytes.byteOffset &&
    batch.jobs[last] === job;
  if (before && goesOn) {
    batch.pieces[last] = new Uint8Array(bytes.buffer, before.byteOffset, before.length + bytes.length);
    return;
  }
  batch.jobs.push(job);
  batch.pieces.push(bytes);
}
