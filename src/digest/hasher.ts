import { Worker } from 'node:worker_threads';
import type { HashAlgorithm } from './hash-batch.ts';
import { type HashExecutor, HashJob, HashUnavailable } from './hash-job.ts';
import { HashThread } from './hash-thread.ts';

/** Milliseconds without a new thread after a thread died that never answered. */
const RESTART_BACKOFF_MS = 5_000;

export interface HasherOptions {
  /** Called when the thread died by itself. Its jobs end as unavailable; the next job starts another thread. */
  onDeath?: (error: HashUnavailable) => void;
  start?: () => Worker;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
}

/**
 * Computes digests in one worker thread, which starts with the first job and does not keep the process alive. The main
 * thread pays for one message a megabyte, and does not copy bytes whose memory is shared (SharedArrayBuffer).
 */
export class Hasher {
  readonly #options: Required<HasherOptions>;
  #thread: HashThread | undefined;
  #backoffUntil = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor({ onDeath = () => undefined, start = startWorker, now = () => performance.now() }: HasherOptions = {}) {
    this.#options = { onDeath, start, now };
  }

  /** Digests being computed. */
  get jobs(): number {
    return this.#thread?.jobs ?? 0;
  }

  /** Begins a job. Without a thread, the job's digest is unavailable. */
  begin(algorithm: HashAlgorithm): HashJob {
    if (this.#closed) return unavailableJob('the hasher is closed');
    this.#thread ??= this.#start();
    return this.#thread?.begin(algorithm) ?? unavailableJob('the hash thread cannot start');
  }

  /** Ends the thread. Its jobs end as unavailable. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.close();
  }

  #start(): HashThread | undefined {
    if (this.#options.now() < this.#backoffUntil) return undefined;
    try {
      return new HashThread(this.#options.start(), (hasAnswered, error) => this.#onThreadEnd(hasAnswered, error));
    } catch (cause) {
      this.#onThreadEnd(false, new HashUnavailable('the hash thread cannot be created', { cause }));
      return undefined;
    }
  }

  #onThreadEnd(hasAnswered: boolean, error: HashUnavailable): void {
    this.#thread = undefined;
    if (this.#closed) return;
    if (!hasAnswered) this.#backoffUntil = this.#options.now() + RESTART_BACKOFF_MS;
    this.#options.onDeath(error);
  }
}

function startWorker(): Worker {
  return new Worker(new URL('./hash-worker.js', import.meta.url), { name: 'hasher' });
}

const NULL_EXECUTOR: HashExecutor = {
  maxBacklog: 0,
  add: () => undefined,
  finish: () => undefined,
  drop: () => undefined,
};

function unavailableJob(reason: string): HashJob {
  const job = new HashJob(NULL_EXECUTOR, 0);
  job.failed(new HashUnavailable(reason));
  return job;
}
