import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds for the reader of an error message, and of the output of a command that a signal has ended. */
const BOUND_MS = 1_000;

let outputIsLog = false;

/** Standard output is a log from now on: the end of the process waits for its reader for a bounded time only. */
export function declareOutputLog(): void {
  outputIsLog = true;
}

/**
 * Resolves when what was printed is written, because `process.exit` drops what a pipe has not taken yet. A reader of standard output, such
 * as a pager, may take its time until a signal comes.
 * @param interrupted a signal has come
 * @returns whether standard output was written, as far as anything waits for it
 */
export async function flushStandardStreams(interrupted: boolean): Promise<boolean> {
  const printed = flush(process.stdout);
  const errors = flush(process.stderr);
  await Promise.race([errors, sleep(BOUND_MS)]);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((name) => once(process, name));
  const ended = interrupted || outputIsLog ? sleep(BOUND_MS) : Promise.race(signals);
  return Promise.race([printed, ended.then(() => interrupted)]);
}

function flush(stream: Writable): Promise<boolean> {
  let failed = false;
  stream.on('error', () => {
    failed = true;
  });
  // An error of an earlier write is emitted after the callbacks.
  return new Promise((resolve) => stream.write('', () => setImmediate(() => resolve(!failed))));
}
