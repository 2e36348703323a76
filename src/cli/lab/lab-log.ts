import { EventEmitter, on, once } from 'node:events';
import { type Logger, pino } from 'pino';
import type { Entry } from '../serve/terminal-log.ts';

/** The edge's log. The edge tells of every change of an upstream there, so that the lab waits for changes by it. */
export class LabLog {
  readonly logger: Logger;
  readonly #entries = new EventEmitter<{ entry: [Entry] }>();

  /** @param print takes each line as JSON, without its line end */
  constructor(print: (line: string) => void) {
    const write = (text: string) => {
      print(text.trimEnd());
      this.#entries.emit('entry', JSON.parse(text));
    };
    this.logger = pino({ base: null }, { write });
  }

  /** The first entry from now on that is wanted. @throws AbortError if `signal` is aborted first, with its reason as the cause */
  async next(wanted: (entry: Entry) => boolean, signal: AbortSignal): Promise<Entry> {
    for await (const [entry] of on(this.#entries, 'entry', { signal })) if (wanted(entry)) return entry;
    throw signal.reason;
  }

  /**
   * Resolves when a condition is met. It is looked at now and after each entry, so that it must be of what the edge tells in its log.
   * @throws AbortError if `signal` is aborted first, with its reason as the cause
   */
  async until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    while (!condition()) await once(this.#entries, 'entry', { signal });
  }
}
