import { type Logger, pino } from 'pino';
import type { Entry } from '../serve/terminal-log.ts';

/** The edge's log. The edge tells of every change of an upstream there, so that the lab waits for changes by it. */
export class LabLog {
  readonly logger: Logger;
  readonly #listeners = new Set<(entry: Entry) => void>();

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
  next(wanted: (entry: Entry) => boolean, signal: AbortSignal): Promise<Entry> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Entry>();
    const hear = (entry: Entry) => {
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

  /**
   * Resolves when a condition is met. It is looked at now and after each entry, so that it must be of what the edge tells in its log.
   * @throws the reason of `signal` if it is aborted first
   */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition()) await this.next(() => true, signal);
  }
}
