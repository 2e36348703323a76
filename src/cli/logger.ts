import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

/**
 * JSON lines on standard output, pretty on a terminal. Written synchronously: a transport would lose what it holds when the process
 * is killed. Nothing secret is ever given to it; the paths below are for what a library may put into an error.
 */
export function createLogger(level: string): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['*.authorization', '*.Authorization', '*.headers', 'err.headers', 'err.options', 'err.request'],
      remove: true,
    },
  };
  if (process.stdout.isTTY) return pino(options, pretty({ sync: true, colorize: true, singleLine: true }));
  return pino(options, pino.destination({ dest: 1, sync: true }));
}
