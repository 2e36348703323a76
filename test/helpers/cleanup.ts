import type { Owner } from './temporary-folder.ts';

/** Cleans up after a command as after a test: last said, first done. */
export class Cleanup implements Owner {
  readonly #said: (() => unknown)[] = [];

  teardown(clean: () => unknown): void {
    this.#said.push(clean);
  }

  async run(): Promise<void> {
    for (const clean of this.#said.splice(0).toReversed()) await clean();
  }
}
