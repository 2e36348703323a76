import type { Owner } from '../test/helpers/temporary-folder.ts';

/** What is running and lying about because of one part of a benchmark; all of it goes when the scope is closed. */
export class Scope implements Owner {
  readonly #cleaners: (() => unknown)[] = [];
  #closed = false;

  teardown(clean: () => unknown): void {
    // Work goes on for a moment after an interrupt: it must not start anything any more.
    if (this.#closed) throw new Error('the benchmark was stopped');
    this.#cleaners.push(clean);
  }

  /** Last said, first done; one that fails does not keep the others from being done. */
  async close(): Promise<void> {
    this.#closed = true;
    for (let clean = this.#cleaners.pop(); clean; clean = this.#cleaners.pop()) {
      try {
        await clean();
      } catch (error) {
        process.stderr.write(`bench: cleaning up: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }

  /** Does something in a scope of its own, which ends with it or with this one. */
  async within<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const inner = new Scope();
    this.teardown(() => inner.close());
    try {
      return await work(inner);
    } finally {
      await inner.close();
    }
  }
}
