import { setTimeout as delay } from 'node:timers/promises';
import { ACCEPT, type Walked, walkRegistry } from '../../helpers/registry-walk.ts';

const PAUSE_MS = 20;

/** Resolves tags again and again, and looks whether all that they name is there. */
export class TagWatcher {
  /** What a tag named and was not there, in words. */
  readonly found: string[] = [];
  /** Tags that were seen, as `repository:tag`, with all that is below them. */
  readonly seen = new Map<string, Walked['found']>();
  readonly #url: string;
  readonly #tags: readonly { repository: string; tag: string }[];
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(url: string, tags: readonly { repository: string; tag: string }[]) {
    this.#url = url;
    this.#tags = tags;
  }

  start(): void {
    // A watcher that fails says so. Otherwise "no problem found" would mean nothing.
    this.#running = this.#watch().catch((error) => void this.found.push(`the watcher failed: ${String(error)}`));
  }

  /** Resolves when every tag was looked for once more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await this.#round();
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#round();
      await delay(PAUSE_MS);
    }
  }

  async #round(): Promise<void> {
    for (const { repository, tag } of this.#tags)
      if (!this.seen.has(`${repository}:${tag}`)) await this.#look(repository, tag);
  }

  /** Once it was complete it stays so: nothing is deleted here. */
  async #look(repository: string, tag: string): Promise<void> {
    const { status } = await fetch(`${this.#url}/v2/${repository}/manifests/${tag}`, { headers: { accept: ACCEPT } });
    if (status === 404) return;
    const { missing, found } = await walkRegistry(this.#url, repository, tag);
    this.found.push(...missing.map((what) => `${repository}:${tag} lacks ${what}`));
    this.seen.set(`${repository}:${tag}`, found);
  }
}
