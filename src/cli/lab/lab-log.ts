import { type Logger, pino } from 'pino';

/** One line of the edge's log. */
export type LogEntry = { msg?: string } & Record<string, unknown>;

/** The edge's log. The edge tells of every change of an upstream there, so that the lab waits for changes by it. */
export class LabLog {
  readonly logger: Logger;
  readonly #listeners = new Set<(entry: LogEntry) => void>();

  /** @param print takes each line as JSON, without its line end */
  constructor(print: (line: string) => void) {
    const write = (text: string) => {
      print(text.trimEnd());
      const entry = JSON.parse(text);
      for (const hear of [...this.#listeners]) hear(entry);
    };
    this.logger = pino({ base: null }, { write });
  }

  /**
   * The first entry from now on that is wanted.
   * @throws the reason of `signal` if it is aborted first
   */
  next(wanted: (entry: LogEntry) => boolean, signal: AbortSignal): Promise<LogEntry> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<LogEntry>();
    const hear = (entry: LogEntry) => {
      if (wanted(entry)) resolve(entry);
    };
    const stop = () => reject(signal.reason);
    this.#listeners.add(hear);
    signal.addEventListener('abort', stop, { once: true });
    return promise.finally(() => {
      this.#listeners.delete(hear);
      signal.removeEventListener('abort', stop);
    });
  }
}
