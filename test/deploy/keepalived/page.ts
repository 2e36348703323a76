import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../helpers/markdown.ts';
import type { Row } from './event.ts';

const FILE = join(root, 'docs/deploy-pair.md');
const BEGIN = '<!-- measured: npm run pair -- --record -->\n';
const END = '<!-- end of what was measured -->\n';

/** docs/deploy-pair.md: what stands between its markers is written by a run. */
export const page = {
  /** Whether the table has a row for an event, with the same promise. */
  has: (event: string, must: string): boolean => parts().shown.includes(`\n| ${event} | ${must} | `),

  write(rows: readonly Row[], day: string): void {
    const { before, after } = parts();
    writeFileSync(FILE, `${before}${tableOf(rows, day)}${after}`);
  },
};

function parts(): { before: string; shown: string; after: string } {
  const text = readFileSync(FILE, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${FILE} has no place for what a run writes`);
  const start = from + BEGIN.length;
  return { before: text.slice(0, start), shown: text.slice(start, to), after: text.slice(to) };
}

function tableOf(rows: readonly Row[], day: string): string {
  const lines = rows
    .filter(({ event }) => event)
    .map(({ event, must, measured }) => `| ${event} | ${must} | ${measured} |`);
  return `Measured on ${day}:\n\n| event | must reach | measured |\n|---|---|---|\n${lines.join('\n')}\n`;
}
