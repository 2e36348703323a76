import { type DestinationStream, pino } from 'pino';

/** Characters of lines that are written together, … */
const TOGETHER = 8192;
/** … at the latest after so many milliseconds. */
const LATE_MS = 100;
const WARN = 40;

/**
 * Standard output for a log. A write for each line costs as much as a small request does, so that they go out together; a warning, and
 * all before it, goes out at once. `kill -9` loses at most what came in the last tenth of a second.
 */
export function lineOutput(fd: number): DestinationStream {
  const out = pino.destination({ dest: fd, sync: true });
  let waiting = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const lines = waiting;
    waiting = '';
    if (lines !== '') out.write(lines);
  };
  process.on('exit', flush);
  return {
    // With this mark pino tells the level of each line beforehand.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string) {
      waiting += line;
      if (this.lastLevel >= WARN || waiting.length >= TOGETHER) flush();
      else timer ??= setTimeout(flush, LATE_MS).unref();
    },
  } as DestinationStream & { lastLevel: number };
}
