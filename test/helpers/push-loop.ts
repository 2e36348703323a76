import { HttpsClient } from './https-client.ts';
import type { Owner } from './temporary-folder.ts';
import { timeLimit } from './time-limit.ts';

export interface Begun {
  /** Milliseconds of `performance.now()` when it was asked. */
  at: number;
  /** 202: an upload session was opened; 0: no answer at all. */
  status: number;
  /** Milliseconds. */
  took: number;
  answer: string;
}

/** Begins an upload every so often and keeps what was answered: nothing is sent, so that only admission is looked at. */
export class PushLoop {
  readonly done: Begun[] = [];
  readonly #client: HttpsClient;
  readonly #path: string;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  /** `every` in milliseconds. */
  constructor(owner: Owner, options: { url: string; authority: string; repository: string; every?: number }) {
    this.#client = new HttpsClient(options.url, options.authority);
    this.#path = `/v2/${options.repository}/blobs/uploads/`;
    this.#timer = setInterval(() => this.#begin(), timeLimit(options.every ?? 200));
    owner.teardown(() => {
      clearInterval(this.#timer);
      this.#client.close();
    });
  }

  /** Those begun between two times of `performance.now()`. */
  between(from: number, to: number): Begun[] {
    return this.done.filter((one) => one.at >= from && one.at <= to);
  }

  /** Begins no more, and waits for those under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  #begin(): void {
    const running = this.#ask().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #ask(): Promise<void> {
    const at = performance.now();
    try {
      const { status, body, took } = await this.#client.ask(this.#path, { method: 'POST' });
      this.done.push({ at, status, took, answer: body.toString() });
    } catch (error) {
      const answer = error instanceof Error ? error.message : String(error);
      this.done.push({ at, status: 0, took: performance.now() - at, answer });
    }
  }
}
