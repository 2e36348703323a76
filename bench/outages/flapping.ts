import { setTimeout as delay } from 'node:timers/promises';
import type { Registry } from '../../test/helpers/registry.ts';
import type { Owner } from '../../test/helpers/temporary-folder.ts';

/** A registry that is killed and started again in turn. */
export class Flapping {
  readonly #registry: Registry;
  readonly #halfMs: number;
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;
  #up = true;

  /** @param halfMs time for which the registry is down, and then up */
  constructor(owner: Owner, registry: Registry, halfMs: number) {
    this.#registry = registry;
    this.#halfMs = halfMs;
    owner.teardown(() => this.#end());
    this.#running = this.#run();
  }

  /** Resolves when the registry is up and stays up. */
  async stop(): Promise<void> {
    await this.#end();
    if (!this.#up) await this.#registry.start();
  }

  async #end(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#registry.kill();
      this.#up = false;
      await this.#wait();
      if (this.#stopped.signal.aborted) return;
      await this.#registry.start();
      this.#up = true;
      await this.#wait();
    }
  }

  async #wait(): Promise<void> {
    await delay(this.#halfMs, undefined, { signal: this.#stopped.signal }).catch((error: Error) => {
      if (error.name !== 'AbortError') throw error;
    });
  }
}
