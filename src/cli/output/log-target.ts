/** Where a log's bytes go. Nothing here blocks the event loop or throws. */
export interface LogTarget {
  /** Writes all bytes, as soon as they can be written. One write at a time. @param done called once */
  write(bytes: Buffer, done: WriteDone): void;
  /** Writes what can be written at once. For the end of the process. */
  writeNow(bytes: Buffer): void;
  /** Milliseconds for which a thread of this process has been inside one write; `process.exit` waits for such a thread. */
  readonly blockedMs: number;
}

/** @param written bytes that were written before the error */
export type WriteDone = (error: Error | undefined, written: number) => void;
