import { HttpsClient } from '../../test/helpers/https-client.ts';
import { pull } from '../../test/helpers/pull.ts';
import type { Owner } from '../../test/helpers/temporary-folder.ts';

export interface PullTarget {
  /** `https://127.0.0.1:PORT` */
  url: string;
  authority: string;
  repository: string;
  reference: string;
  /** Digest of the manifest that every pull must get. */
  digest: string;
}

/** A finished pull. Times are those of `performance.now()`. */
export interface FinishedPull {
  began: number;
  ended: number;
  /** Undefined for a good pull. */
  error?: string;
  /** The upstreams of its requests, by `X-Breakwater-Upstream`. */
  upstreams: string[];
}

const EVERY_MS = 50;

/** Begins a pull every 50 ms, even if earlier ones have not finished. No pull retries anything. */
export class PullSeries {
  readonly #ended: FinishedPull[] = [];
  readonly #target: PullTarget;
  readonly #client: HttpsClient;
  readonly #running = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(owner: Owner, target: PullTarget) {
    this.#target = target;
    this.#client = new HttpsClient(target.url, target.authority);
    this.#timer = setInterval(() => this.#begin(), EVERY_MS);
    owner.teardown(() => {
      clearInterval(this.#timer);
      this.#client.close();
    });
  }

  /** In the order of their ends. */
  get ended(): readonly FinishedPull[] {
    return this.#ended;
  }

  /** Begins no more pulls, and waits for those in flight. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  #begin(): void {
    const running = this.#pull().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #pull(): Promise<void> {
    const { repository, reference, digest } = this.#target;
    const began = performance.now();
    const end = (upstreams: string[], error?: string) =>
      this.#ended.push({ began, ended: performance.now(), upstreams, ...(error === undefined ? {} : { error }) });
    try {
      const pulled = await pull(this.#client, repository, reference);
      if (pulled.digest === digest) end(pulled.upstreams);
      else end(pulled.upstreams, `wrong manifest ${pulled.digest}`);
    } catch (error) {
      end([], error instanceof Error ? error.message : String(error));
    }
  }
}
