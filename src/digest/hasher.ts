import { Worker } from 'node:worker_threads';
import type { HashAlgorithm } from './hash-batch.ts';
import { type HashJob, type HashLane, HashUnavailable, LaneJob } from './hash-job.ts';
import { HashThread } from './hash-thread.ts';

/** After a thread that never answered: no sense in starting the next one for every blob. */
const REST_MS = 5_000;

export interface HasherOptions {
  /** Told when the thread died by itself; its jobs end as unavailable, and the next one starts another. */
  onDeath?: (error: HashUnavailable) => void;
  start?: () => Worker;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

/**
 * Computes digests in one thread per process, which starts with the first job and does not keep the process alive. The main thread pays
 * for a message a megabyte, and copies nothing whose memory is shared (SharedArrayBuffer).
 */
export class Hasher {
  readonly #options: Required<HasherOptions>;
  #thread: HashThread | undefined;
  #restsUntil = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor({ onDeath = () => undefined, start = startWorker, now = () => performance.now() }: HasherOptions = {}) {
    this.#options = { onDeath, start, now };
  }

  /** Digests under way. */
  get jobs(): number {
    return this.#thread?.jobs ?? 0;
  }

  /** Always gives a job; where there can be no thread, one whose digest is unavailable. */
  begin(algorithm: HashAlgorithm): HashJob {
    if (this.#closed) return stillborn('no more digests are computed');
    this.#thread ??= this.#start();
    return this.#thread?.begin(algorithm) ?? stillborn('the thread that hashes does not start');
  }

  /** Ends the thread; jobs under way end as unavailable. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread?.close();
  }

  #start(): HashThread | undefined {
    if (this.#options.now() < this.#restsUntil) return undefined;
    try {
      return new HashThread(this.#options.start(), (thread, error) => this.#ended(thread.proved, error));
    } catch (cause) {
      this.#ended(false, new HashUnavailable('the thread that hashes cannot be made', { cause }));
      return undefined;
    }
  }

  #ended(proved: boolean, error: HashUnavailable): void {
    this.#thread = undefined;
    if (this.#closed) return;
    if (!proved) this.#restsUntil = this.#options.now() + REST_MS;
    this.#options.onDeath(error);
  }
}

function startWorker(): Worker {
  return new Worker(new URL('./hash-worker.js', import.meta.url), { name: 'hasher' });
}

const NOWHERE: HashLane = { share: 0, add: () => undefined, finish: () => undefined, drop: () => undefined };

function stillborn(reason: string): HashJob {
  const job = new LaneJob(NOWHERE);
  job.failed(new HashUnavailable(reason));
  return job;
}
