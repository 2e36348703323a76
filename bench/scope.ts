import type { Owner } from '../test/helpers/temporary-folder.ts';

/** The processes and files of one part of a benchmark. All of them are removed when the scope is closed. */
export class Scope implements Owner {
  readonly #cleaners: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  teardown(clean: () => unknown): void {
    this.#cleaners.push(clean);
    // Work may continue for a moment after an interrupt, but must not start anything.
    if (this.#closing) throw new Error('the benchmark was stopped');
  }

  /** Whether the scope was closed, so that nothing may be started. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Runs the clean-ups in reverse order. A failing one does not stop the others. A second call runs those added since. */
  close(): Promise<void> {
    this.#closing = (this.#closing ?? Promise.resolve()).then(() => this.#clean());
    return this.#closing;
  }

  /** Runs work in a scope of its own, which ends with the work or with this scope. */
  async within<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    const inner = new Scope();
    this.teardown(() => inner.close());
    try {
      return await work(inner);
    } finally {
      await inner.close();
    }
  }

  /** As `within`, for one of several works: a failure is added to `problems`, and the others continue. */
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
