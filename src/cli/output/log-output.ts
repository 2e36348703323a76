import type { LogTarget } from './log-target.ts';

/** Characters that may wait to be written. They are bounded, because a reader that is stuck may stay so for days. */
const MAX_WAITING = 1_048_576;
/** The last quarter is kept for urgent lines. */
const MAX_ORDINARY = (MAX_WAITING * 3) / 4;
/** Lines are written at the latest when they have this many characters. */
const BATCH = 8_192;
/** Lines are written at the latest after this time. */
const FLUSH_MS = 100;
/** After an error, such as a full disk, writing is tried again after this time. */
const RETRY_MS = 1_000;
/** A thread that has been inside a write for this long does not come back soon. */
const STUCK_MS = 500;

/** Lines that were dropped because they could not be written. */
export interface DroppedLines {
  lines: number;
  /** The time of the first one, ISO 8601. */
  since: string;
  /** The code of the last error; undefined: the reader did not keep up. */
  code: string | undefined;
}

export interface LogOutputOptions {
  target: LogTarget;
  /** Called when lines were dropped and writing works again. A line that it writes stands where lines are missing. */
  onResumed: (dropped: DroppedLines) => void;
  /** Called with the code of each error of writing. */
  onError?: (code: string) => void;
}

/**
 * Lines on their way to a target. It never blocks and never throws. What cannot be written waits; beyond a bound, new lines are dropped
 * and counted. A write for each line would cost as much as a small request, so ordinary lines wait for others, but not for long.
 */
export class LogOutput {
  readonly #options: LogOutputOptions;
  /** Lines after those of the chunk. */
  #waiting = '';
  /** Bytes that are being written, or will be tried again. */
  #chunk: Buffer | undefined;
  #chunkLength = 0;
  #writing = false;
  #flushTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #code: string | undefined;
  #unreported: Pick<DroppedLines, 'lines' | 'since'> | undefined;
  #reporting = false;
  #dropped = 0;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: LogOutputOptions) {
    this.#options = options;
    process.on('exit', () => this.#last());
  }

  /** Lines dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** @param urgent it is written at once, with all lines before it */
  write(line: string, urgent: boolean): void {
    const bound = urgent ? MAX_WAITING : MAX_ORDINARY;
    if (this.#chunkLength + this.#waiting.length + line.length > bound && !this.#reporting) {
      this.#drop();
      return;
    }
    this.#waiting += line;
    if (urgent || this.#waiting.length >= BATCH) this.flush();
    else this.#flushTimer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  /** Writes the lines that wait, unless earlier ones are still being written. */
  flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    if (this.#chunk || this.#waiting === '') return;
    this.#chunk = Buffer.from(this.#waiting);
    this.#chunkLength = this.#waiting.length;
    this.#waiting = '';
    this.#attempt(this.#chunk);
  }

  /** Resolves when every line is written, or after `ms`. */
  async finish(ms: number): Promise<void> {
    this.flush();
    if (!this.#chunk) return;
    this.#idle ??= Promise.withResolvers();
    const { promise, resolve } = this.#idle;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }

  /** Ends the process. */
  exit(status: number): never {
    // A thread inside a write, such as to a file server that hangs, would keep `process.exit` waiting for it.
    if (this.#options.target.blockedMs > STUCK_MS) process.kill(process.pid, 'SIGKILL');
    process.exit(status);
  }

  #attempt(chunk: Buffer): void {
    this.#writing = true;
    this.#options.target.write(chunk, (error, written) => {
      this.#writing = false;
      if (error) this.#failed(error, chunk.subarray(written));
      else this.#wrote();
    });
  }

  #failed(error: NodeJS.ErrnoException, rest: Buffer): void {
    this.#chunk = rest;
    this.#code = error.code ?? error.message;
    this.#retryTimer = setTimeout(() => this.#attempt(rest), RETRY_MS).unref();
    this.#options.onError?.(this.#code);
  }

  #wrote(): void {
    this.#chunk = undefined;
    this.#chunkLength = 0;
    this.#report();
    this.#code = undefined;
    this.flush();
    if (this.#chunk) return;
    this.#idle?.resolve();
    this.#idle = undefined;
  }

  #drop(): void {
    this.#dropped += 1;
    this.#unreported ??= { lines: 0, since: new Date().toISOString() };
    this.#unreported.lines += 1;
  }

  #report(): void {
    if (!this.#unreported) return;
    const dropped = { ...this.#unreported, code: this.#code };
    this.#unreported = undefined;
    this.#reporting = true;
    this.#options.onResumed(dropped);
    this.#reporting = false;
  }

  /** The last lines of a process that ends without `finish`. */
  #last(): void {
    clearTimeout(this.#retryTimer);
    const rest = this.#writing || !this.#chunk ? Buffer.alloc(0) : this.#chunk;
    const bytes = Buffer.concat([rest, Buffer.from(this.#waiting)]);
    if (bytes.length > 0) this.#options.target.writeNow(bytes);
  }
}
