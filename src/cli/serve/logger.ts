import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, pino } from 'pino';
import { type DroppedLines, LogOutput } from '../output/log-output.ts';
import { standardOutput } from '../output/standard-output.ts';
import { terminalLog } from './terminal-log.ts';

const WARN = 40;

export interface ProcessLog {
  logger: Logger;
  output: LogOutput;
}

/** JSON lines on standard output, or readable lines on a terminal. No secret is logged; the redacted paths are for errors of libraries. */
export function createLog(level: string): ProcessLog {
  const output = new LogOutput({
    target: standardOutput(),
    onResumed: (dropped) => logger.warn({ dropped }, droppedText(dropped)),
  });
  const logger = isatty(1) ? terminalLog((line) => output.write(`${line}\n`, true), level) : jsonLog(output, level);
  return { logger, output };
}

/** A log of JSON lines. */
export function jsonLog(output: Pick<LogOutput, 'write'>, level: string): Logger {
  const options = {
    level,
    base: null,
    formatters: { level: (level: string) => ({ level }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: ['*.authorization', '*.Authorization', '*.headers', 'err.headers', 'err.options', 'err.request'],
      remove: true,
    },
  };
  const destination = {
    // With this symbol pino sets the fields below before each line.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    lastMsg: '',
    lastObj: {} as { audit?: unknown },
    write(line: string) {
      // Only lines of requests are many. `audit` marks those that tell who did what.
      output.write(line, this.lastLevel >= WARN || this.lastMsg !== 'request' || this.lastObj.audit !== undefined);
    },
  };
  return pino(options, destination as DestinationStream);
}

function droppedText({ lines, since, code }: DroppedLines): string {
  const why =
    code === undefined
      ? 'its reader did not keep up; look at what reads it'
      : `it could not be written (${code}); look at its disk or at what reads it`;
  return `${lines} lines of the log were dropped since ${since}: standard output works again, but ${why}`;
}
