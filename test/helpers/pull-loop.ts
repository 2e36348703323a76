import { HttpsClient } from './https-client.ts';
import { type Pulled, pull } from './pull.ts';
import type { Owner } from './temporary-folder.ts';
import { timeLimit } from './time-limit.ts';

export interface PullLoopOptions {
  /** `https://127.0.0.1:PORT` */
  url: string;
  authority: string;
  repository: string;
  reference: string;
  /** The manifest's digest that every pull must have. */
  digest: string;
  /** Milliseconds between starts. */
  every?: number;
}

export interface LoopPull extends Pulled {
  /** Milliseconds of `performance.now()` when it was begun. */
  began: number;
}

/** Begins a pull every so often, whether or not the ones before have ended, and keeps what became of each. */
export class PullLoop {
  readonly done: LoopPull[] = [];
  readonly failed: string[] = [];
  readonly #options: PullLoopOptions;
  readonly #client: HttpsClient;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(owner: Owner, options: PullLoopOptions) {
    this.#options = options;
    this.#client = new HttpsClient(options.url, options.authority);
    this.#timer = setInterval(() => this.#begin(), timeLimit(options.every ?? 50));
    owner.teardown(() => {
      clearInterval(this.#timer);
      this.#client.close();
    });
  }

  /** Pulls that were begun and have not ended. */
  get underWay(): number {
    return this.#running.size;
  }

  /** Those done that were begun at or after a time of `performance.now()`. */
  since(time: number): LoopPull[] {
    return this.done.filter((one) => one.began >= time);
  }

  /** Begins no more, and waits for those under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  #begin(): void {
    const running = this.#pull().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #pull(): Promise<void> {
    const { repository, reference, digest } = this.#options;
    const began = performance.now();
    try {
      const pulled = await pull(this.#client, repository, reference);
      if (pulled.digest === digest) this.done.push({ ...pulled, began });
      else this.failed.push(`wrong manifest ${pulled.digest}`);
    } catch (error) {
      this.failed.push(`begun at ${Math.round(began)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
