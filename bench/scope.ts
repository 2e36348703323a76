import type { Owner } from '../test/helpers/temporary-folder.ts';

/** What is running and lying about because of one part of a benchmark; all of it goes when the scope is closed. */
export class Scope implements Owner {
  readonly #cleaners: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  teardown(clean: () => unknown): void {
    this.#cleaners.push(clean);
    // Work goes on for a moment after an interrupt: it must not start anything any more.
    if (this.#closing) throw new Error('the benchmark was stopped');
  }

  /** Whether it was closed, and nothing may be started any more. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Last said, first done; one that fails does not keep the others from being done. Again: for what was said since. */
  close(): Promise<void> {
    this.#closing = (this.#closing ?? Promise.resolve()).then(() => this.#clean());
    return this.#closing;
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

  /** As `within`, for what is one of many: if it fails, that is said in `problems`, and the others go on. */
  async attempt<T>(what: string, problems: string[], work: (scope: Scope) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.within(work);
    } catch (error) {
      if (this.closed) throw error;
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      process.stderr.write(`bench: ${what}: ${stack}\n`);
      problems.push(`${what} could not be measured: ${message.split('\n')[0]}`);
      return undefined;
    }
  }

  async #clean(): Promise<void> {
    for (let clean = this.#cleaners.pop(); clean; clean = this.#cleaners.pop()) {
      try {
        await clean();
      } catch (error) {
        process.stderr.write(`bench: cleaning up: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    }
  }
}
