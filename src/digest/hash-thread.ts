import type { Worker } from 'node:worker_threads';
import type { Chunk } from '../upstream/body/body-source.ts';
import { BatchBuilder, type HashAlgorithm, type HashReply, type Held } from './hash-batch.ts';
import { type HashLane, HashUnavailable, LaneJob } from './hash-job.ts';

/** Milliseconds for which bytes are collected before they are sent. */
const BATCH_MS = 2;
/** Bytes that may wait in all, … */
const ALL_BYTES = 33_554_432;
/** … but of one job not more than the first, and always the second. */
const MOST_BYTES = 4_194_304;
const LEAST_BYTES = 262_144;

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
  #next = new BatchBuilder();
  #soon = false;
  #proved = false;
  #cause: unknown;
  #ended = false;

  /** @param onEnd called once, when it has died or was closed, before its jobs are told */
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
    this.#next.begin(this.#lastNumber, algorithm);
    return job;
  }

  add(job: LaneJob, chunk: Chunk, bytes: Buffer): void {
    const number = this.#numbers.get(job);
    if (number === undefined) throw new Error('a hash job went on after its end');
    this.#next.add(number, job, chunk, bytes);
    if (this.#next.isFull) this.#post();
    else this.#postSoon();
  }

  finish(job: LaneJob): void {
    const number = this.#numbers.get(job);
    if (number === undefined) return;
    this.#next.finish(number);
    this.#post();
  }

  drop(job: LaneJob): void {
    const number = this.#numbers.get(job);
    if (number === undefined) return;
    this.#forget(job, number);
    this.#next.drop(number);
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
    if (this.#ended || this.#next.isEmpty) return;
    const { batch, copies, held } = this.#next;
    // It keeps the process alive only while it owes an answer.
    if (this.#posted.length === 0) this.#worker.ref();
    this.#posted.push(held);
    this.#worker.postMessage(batch, copies);
    this.#next = new BatchBuilder();
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
    // First, so that nobody who is told begins another job here.
    this.#onEnd(this, error);
    for (const job of jobs) job.failed(error);
    for (const held of [...this.#posted.splice(0), this.#next.held]) release(held);
  }
}

function release(held: readonly Held[]): void {
  for (const { job, bytes, chunk } of held) {
    chunk?.release();
    job.done(bytes);
  }
}
