import type { Chunk } from '../upstream/body/body-source.ts';

/** The digest could not be computed. The error says nothing about the bytes. */
export class HashUnavailable extends Error {
  override name = 'HashUnavailable';
}

/** Reads the bytes of jobs. */
export interface HashExecutor {
  /** Bytes of one job that may wait. */
  readonly maxBacklog: number;
  add(job: HashJob, chunk: Chunk, bytes: Buffer): void;
  finish(job: HashJob): void;
  drop(job: HashJob): void;
}

/** One digest, computed while its body is transferred. The owner must end the job by `digest` or `abandon`. */
export class HashJob {
  /** Names the job to the thread. */
  readonly number: number;
  readonly #executor: HashExecutor;
  readonly #outcome = Promise.withResolvers<string>();
  #state: 'open' | 'finishing' | 'over' = 'open';
  #backlog = 0;
  #onDrain: (() => void) | undefined;

  constructor(executor: HashExecutor, number: number) {
    this.#executor = executor;
    this.number = number;
    // A job may fail before `digest` is called. Its owner learns of the failure from `digest`.
    this.#outcome.promise.catch(() => undefined);
  }

  /** Bytes that wait to be read. */
  get backlog(): number {
    return this.#backlog;
  }

  /**
   * Takes the next bytes of the body, which lie in `chunk`; retains the chunk until they are read.
   * @param bytes default: the whole chunk
   * @returns false when no more bytes may come until `onDrain`
   */
  update(chunk: Chunk, bytes = chunk.bytes): boolean {
    if (this.#state === 'finishing') throw new Error('bytes came after the digest was asked for');
    if (this.#state === 'over' || bytes.length === 0) return true;
    this.#backlog += bytes.length;
    this.#executor.add(this, chunk, bytes);
    return this.#backlog < this.#executor.maxBacklog;
  }

  /** Calls back once, later, when few bytes wait or the job is over. Only the latest callback is called. */
  onDrain(callback: () => void): void {
    this.#onDrain = callback;
    // Never within this call, because the caller is about to pause.
    queueMicrotask(() => this.#notifyDrain());
  }

  /**
   * Ends the job after its last byte; to be called once. Resolves with the digest in hex.
   * @throws HashUnavailable when the thread died
   */
  digest(): Promise<string> {
    if (this.#state === 'open') {
      this.#state = 'finishing';
      this.#executor.finish(this);
    }
    return this.#outcome.promise;
  }

  /** Ends the job without a digest; may be called at any time, any number of times. */
  abandon(): void {
    if (this.#state === 'over') return;
    this.failed(new HashUnavailable('the digest was abandoned'));
    this.#executor.drop(this);
  }

  /** Called by the executor: the bytes were read, or never will be. */
  consumed(bytes: number): void {
    this.#backlog -= bytes;
    this.#notifyDrain();
  }

  /** Called by the executor. */
  digested(hex: string): void {
    this.#state = 'over';
    this.#outcome.resolve(hex);
  }

  /** Called by the executor. */
  failed(error: HashUnavailable): void {
    this.#state = 'over';
    this.#outcome.reject(error);
    this.#notifyDrain();
  }

  #notifyDrain(): void {
    if (this.#state === 'open' && this.#backlog > this.#executor.maxBacklog / 2) return;
    const callback = this.#onDrain;
    this.#onDrain = undefined;
    callback?.();
  }
}
