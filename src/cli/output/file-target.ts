import { constants, openSync, write, writeSync } from 'node:fs';
import type { LogTarget, WriteDone } from './log-target.ts';

/** Milliseconds until a terminal that takes nothing is tried again. */
const BUSY_MS = 50;

/** A file, a device or a terminal. A thread of Node's pool writes, because a full or distant disk blocks. */
export class FileTarget implements LogTarget {
  readonly #fd: number;
  #began: number | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get blockedMs(): number {
    return this.#began === undefined ? 0 : performance.now() - this.#began;
  }

  write(bytes: Buffer, done: WriteDone): void {
    const attempt = (from: number): void => {
      this.#began = performance.now();
      write(this.#fd, bytes, from, bytes.length - from, null, (error, count) => {
        this.#began = undefined;
        if (error?.code === 'EAGAIN') setTimeout(attempt, BUSY_MS, from).unref();
        else if (error) done(error, from);
        else if (from + count < bytes.length) attempt(from + count);
        else done(undefined, bytes.length);
      });
    };
    attempt(0);
  }

  writeNow(bytes: Buffer): void {
    try {
      for (let from = 0; from < bytes.length; ) from += writeSync(this.#fd, bytes, from);
    } catch {
      // The process ends, and there is no other place for these lines.
    }
  }
}

/** Opens a terminal a second time, without blocking. The mode of the first one stays as it is, because the shell shares it. */
export function openTerminal(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}
