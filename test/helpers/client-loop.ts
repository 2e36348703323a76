import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerClient } from './container-client.ts';
import type { Owner } from './temporary-folder.ts';

/** Real clients that pull one image over and over, one after the other: two cores are shared with what is tested. */
export class ClientLoop {
  readonly failed: string[] = [];
  /** How many pulls each has done, by its name. */
  readonly done = new Map<string, number>();
  readonly #loop: Promise<void>;
  #stopped = false;

  constructor(owner: Owner, clients: readonly ContainerClient[], image: string, digest: string) {
    this.#loop = this.#run(clients, image, digest);
    owner.teardown(() => this.stop());
  }

  /** Begins no more, and waits for the last pull. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#loop;
  }

  /** Whether every client has done so many more pulls than it had at a point remembered with `counts`. */
  haveDone(more: number, counts: ReadonlyMap<string, number>): boolean {
    return [...this.done].every(([name, count]) => count >= (counts.get(name) ?? 0) + more);
  }

  counts(): ReadonlyMap<string, number> {
    return new Map(this.done);
  }

  async #run(clients: readonly ContainerClient[], image: string, digest: string): Promise<void> {
    for (const client of clients) this.done.set(client.name, 0);
    while (!this.#stopped && clients.length > 0) {
      for (const client of clients) {
        if (this.#stopped) return;
        await this.#pull(client, image, digest);
        this.done.set(client.name, (this.done.get(client.name) ?? 0) + 1);
        await delay(100);
      }
    }
  }

  async #pull(client: ContainerClient, image: string, digest: string): Promise<void> {
    try {
      const pulled = await client.pull(image);
      if (pulled !== digest) this.failed.push(`${client.name}: wrong manifest ${pulled}`);
    } catch (error) {
      this.failed.push(`${client.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
