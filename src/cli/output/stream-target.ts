import type { Writable } from 'node:stream';
import type { LogTarget, WriteDone } from './log-target.ts';

/** A pipe or a socket. The event loop writes when there is room. Node keeps standard streams open after an error. */
export class StreamTarget implements LogTarget {
  readonly blockedMs = 0;
  readonly #stream: Writable;

  constructor(stream: Writable) {
    this.#stream = stream;
    // The callbacks of writes hear of errors.
    stream.on('error', () => undefined);
  }

  write(bytes: Buffer, done: WriteDone): void {
    this.#stream.write(bytes, (error) => done(error ?? undefined, error ? 0 : bytes.length));
  }

  writeNow(bytes: Buffer): void {
    // Node writes at once what the pipe takes, unless an earlier write still waits.
    this.#stream.write(bytes);
  }
}
