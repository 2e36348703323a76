import type { Worker } from 'node:worker_threads';
import { inBackground } from '../http/background.ts';
import type { Chunk } from '../upstream/body/body-source.ts';
import { BatchBuilder, type HashAlgorithm, type HashReply, type PendingPiece } from './hash-batch.ts';
import { type HashExecutor, HashJob, HashUnavailable } from './hash-job.ts';

/** Milliseconds for which bytes are collected before a batch is sent. */
const BATCH_MS = 2;
/** Bytes that may wait in all jobs together … */
const MAX_TOTAL_BACKLOG = 33_554_432;
/** … and in one job: between the minimum and the maximum, by the number of jobs. */
const MAX_JOB_BACKLOG = 4_194_304;
const MIN_JOB_BACKLOG = 262_144;

/**
 * One life of the worker thread, which reads chunks in place. A chunk is released only after the thread has answered
 * the chunk's batch or has ended, even when its job was abandoned meanwhile. An earlier release could only spoil the
 * digest of an abandoned job; this way no such proof is needed.
 */
export class HashThread implements HashExecutor {
  readonly #worker: Worker;
  readonly #jobs = new Map<number, HashJob>();
  readonly #onEnd: (hasAnswered: boolean, error: HashUnavailable) => void;
  /** Batches sent and not answered yet. */
  readonly #unanswered: PendingPiece[][] = [];
  readonly #timer: NodeJS.Timeout;
  #lastNumber = 0;
  #nextBatch = new BatchBuilder();
  #postScheduled = false;
  #hasAnswered = false;
  #cause: unknown;
  #ended = false;

  /**
   * @param onEnd called once when the thread has died or was closed, before its jobs are told; `hasAnswered`: the thread
   *   has ever answered a batch
   */
  constructor(worker: Worker, onEnd: (hasAnswered: boolean, error: HashUnavailable) => void) {
    this.#worker = worker;
    this.#onEnd = onEnd;
    // If a batch is lost, its jobs would wait for ever.
    const ended = () => void worker.terminate();
    this.#timer = setTimeout(
      inBackground('hash', () => this.#post(), ended),
      BATCH_MS,
    ).unref();
    worker.unref();
    worker.on(
      'message',
      inBackground('hash', (reply: HashReply) => this.#onReply(reply), ended),
    );
    worker.on('messageerror', (error) => {
      this.#cause ??= error;
      void worker.terminate();
    });
    worker.on('error', (error) => {
      this.#cause ??= error;
    });
    // Only after `exit` does the thread certainly read no more.
    worker.on(
      'exit',
      inBackground('hash', (status: number) => this.#onExit(status)),
    );
  }

  get jobs(): number {
    return this.#jobs.size;
  }

  get maxBacklog(): number {
    return Math.min(MAX_JOB_BACKLOG, Math.max(MIN_JOB_BACKLOG, MAX_TOTAL_BACKLOG / Math.max(1, this.#jobs.size)));
  }

  begin(algorithm: HashAlgorithm): HashJob {
    this.#lastNumber += 1;
    const job = new HashJob(this, this.#lastNumber);
    this.#jobs.set(job.number, job);
    this.#nextBatch.batch.begun.push([job.number, algorithm]);
    return job;
  }

  add(job: HashJob, chunk: Chunk, bytes: Buffer): void {
    this.#nextBatch.add(job, chunk, bytes);
    if (this.#nextBatch.isFull) this.#post();
    else this.#schedulePost();
  }

  finish(job: HashJob): void {
    this.#nextBatch.batch.finished.push(job.number);
    this.#post();
  }

  drop(job: HashJob): void {
    this.#jobs.delete(job.number);
    this.#nextBatch.batch.dropped.push(job.number);
    this.#schedulePost();
  }

  /** Resolves when the thread has ended, and with it all jobs. */
  async close(): Promise<void> {
    this.#cause ??= new Error('it was closed');
    // Keeps the process alive until the thread has ended.
    this.#worker.ref();
    await this.#worker.terminate();
  }

  #schedulePost(): void {
    if (this.#postScheduled) return;
    this.#postScheduled = true;
    this.#timer.refresh();
  }

  #post(): void {
    this.#postScheduled = false;
    if (this.#ended || this.#nextBatch.isEmpty) return;
    const { batch, transferList, pending } = this.#nextBatch;
    // The thread keeps the process alive only while an answer is due.
    if (this.#unanswered.length === 0) this.#worker.ref();
    this.#unanswered.push(pending);
    this.#worker.postMessage(batch, transferList);
    this.#nextBatch = new BatchBuilder();
  }

  #onReply(reply: HashReply): void {
    this.#hasAnswered = true;
    const pending = this.#unanswered.shift() ?? [];
    if (this.#unanswered.length === 0 && this.#cause === undefined) this.#worker.unref();
    releasePieces(pending);
    for (const [number, hex] of reply) {
      this.#jobs.get(number)?.digested(hex);
      this.#jobs.delete(number);
    }
  }

  #onExit(status: number): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    const error = new HashUnavailable(`the hash thread ended with status ${status}`, { cause: this.#cause });
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    // Called first, so that a job's owner cannot begin another job on the dead thread.
    this.#onEnd(this.#hasAnswered, error);
    for (const job of jobs) job.failed(error);
    for (const pending of [...this.#unanswered.splice(0), this.#nextBatch.pending]) releasePieces(pending);
  }
}

function releasePieces(pending: readonly PendingPiece[]): void {
  for (const { job, bytes, chunk } of pending) {
    chunk?.release();
    job.consumed(bytes);
  }
}
