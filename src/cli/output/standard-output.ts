import { fstatSync } from 'node:fs';
import { isatty } from 'node:tty';
import { FileTarget, openTerminal } from './file-target.ts';
import type { LogTarget } from './log-target.ts';
import { StreamTarget } from './stream-target.ts';

const OUT = 1;

/** Standard output for a log. It never blocks, whatever it is: a pipe, a socket of the journal, a file or a terminal. */
export function standardOutput(): LogTarget {
  const stat = fstatSync(OUT);
  if (stat.isFIFO() || stat.isSocket()) return new StreamTarget(process.stdout);
  return new FileTarget(isatty(OUT) ? openTerminal(OUT) : OUT);
}
