import { type DestinationStream, type Logger, pino } from 'pino';
import { terminalLog } from './terminal-log.ts';

/** Lines are written at the latest when they have this many characters. */
const MAX_BUFFERED = 8192;
/** Lines are written at the latest after this time. */
const FLUSH_MS = 100;
const WARN = 40;

/**
 * JSON lines on standard output, or readable lines on a terminal. This thread writes them, because a transport would lose its buffer when
 * the process is killed. No secret is logged; the redacted paths are for errors of libraries.
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

/**
 * Buffered output of a log. A write for each line would cost as much as a small request. A warning is written at once, with all lines
 * before it. `kill -9` loses at most the lines of the last 100 ms.
 */
function lineOutput(fd: number): DestinationStream {
  const out = pino.destination({ dest: fd, sync: true });
  let buffered = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const lines = buffered;
    buffered = '';
    if (lines !== '') out.write(lines);
  };
  process.on('exit', flush);
  return {
    // With this symbol pino sets lastLevel before each line.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string) {
      buffered += line;
      if (this.lastLevel >= WARN || buffered.length >= MAX_BUFFERED) flush();
      else timer ??= setTimeout(flush, FLUSH_MS).unref();
    },
  } as DestinationStream & { lastLevel: number };
}
