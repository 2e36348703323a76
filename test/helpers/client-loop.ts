import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerClient } from './container-client.ts';
import type { Owner } from './temporary-folder.ts';

/** Real clients that pull one image over and over, each at its own pace. */
export class ClientLoop {
  readonly failed: string[] = [];
  /** How many pulls each has done, by its name. */
  readonly done = new Map<string, number>();
  readonly #loops: Promise<void>[];
  #stopped = false;

  constructor(owner: Owner, clients: readonly ContainerClient[], image: string, digest: string) {
    this.#loops = clients.map((client) => this.#run(client, image, digest));
    owner.teardown(() => this.stop());
  }

  /** Begins no more, and waits for the last pull of each. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  /** Whether every client has done so many more pulls than it had at a point remembered with `counts`. */
  haveDone(more: number, counts: ReadonlyMap<string, number>): boolean {
    return [...this.done].every(([name, count]) => count >= (counts.get(name) ?? 0) + more);
  }

  counts(): ReadonlyMap<string, number> {
    return new Map(this.done);
  }

  async #run(client: ContainerClient, image: string, digest: string): Promise<void> {
    this.done.set(client.name, 0);
    while (!this.#stopped) {
      try {
        const pulled = await client.pull(image);
        if (pulled !== digest) this.failed.push(`${client.name}: wrong manifest ${pulled}`);
      } catch (error) {
        this.failed.push(`${client.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
      this.done.set(client.name, (this.done.get(client.name) ?? 0) + 1);
      // Two cores are shared with what is tested.
      await delay(300);
    }
  }
}
