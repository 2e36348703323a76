import { type Logger, pino } from 'pino';
import { lineOutput } from './line-output.ts';
import { terminalLog } from './terminal-log.ts';

/**
 * JSON lines on standard output; on a terminal a line for people in place of each. Written by this thread: a transport's would lose all that
 * it holds when the process is killed. Nothing secret is ever given to it; the paths below are for what a library may put into an error.
 */
export function createLogger(level: string): Logger {
  if (process.stdout.isTTY) return terminalLog((line) => process.stdout.write(`${line}\n`), level);
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['*.authorization', '*.Authorization', '*.headers', 'err.headers', 'err.options', 'err.request'],
      remove: true,
    },
  };
  return pino(options, lineOutput(1));
}
