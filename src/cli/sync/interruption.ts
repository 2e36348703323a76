const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The wish of whoever started the command that it ends. The first one ends it in order, a second one at once. */
export class Interruption {
  readonly #abort = new AbortController();
  readonly #told = () => {
    if (this.#abort.signal.aborted) process.exit(1);
    this.#abort.abort(new Error('interrupted'));
  };

  /** Whoever read us is gone (`| head`). */
  readonly #unread = () => this.#abort.abort(new Error('nobody reads what is written'));

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#told);
    process.stdout.on('error', this.#unread);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(): void {
    for (const name of SIGNALS) process.off(name, this.#told);
    process.stdout.off('error', this.#unread);
  }
}
