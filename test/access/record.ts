import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from './table-run.ts';
import { tablesOf } from './tables.ts';

/** Mode -> client -> state -> outcomes, in the order of `DEEDS`. */
export type Recorded = Record<string, Record<string, Record<string, string>>>;

/** What is done in each cell: see `Cell`. */
const DEEDS = ['pull', 'other', 'push', 'wrong'] as const;
const FILE = join(import.meta.dirname, 'recorded.json');
const DOCS = join(import.meta.dirname, '../../docs/authentication.md');
const BEGIN = '<!-- access table: npm run access-table -- --record -->\n';
const END = '<!-- end of the access table -->\n';

export function wordsOf(cell: Row['cell']): string {
  return DEEDS.map((deed) => cell[deed]).join(' ');
}

/** The last whole run, and what docs/authentication.md shows of it. */
export const record = {
  read: (): Recorded => JSON.parse(readFileSync(FILE, 'utf8')),

  write(rows: readonly Row[]): void {
    const recorded: Recorded = {};
    for (const { mode, client, state, cell } of rows) {
      recorded[mode] ??= {};
      recorded[mode][client] ??= {};
      recorded[mode][client][state] = wordsOf(cell);
    }
    writeFileSync(FILE, `${JSON.stringify(recorded, undefined, 2)}\n`);
    const { before, after } = parts();
    writeFileSync(DOCS, `${before}${tablesOf(recorded)}${after}`);
  },

  /** What stands between the markers. */
  documented: (): string => parts().shown,
};

function parts(): { before: string; shown: string; after: string } {
  const text = readFileSync(DOCS, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${DOCS} has no place for the table`);
  const start = from + BEGIN.length;
  return { before: text.slice(0, start), shown: text.slice(start, to), after: text.slice(to) };
}
