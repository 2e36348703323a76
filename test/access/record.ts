import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Row } from './table-run.ts';
import { tablesOf } from './tables.ts';

export type Recorded = Omit<Row, 'said'>;

const FILE = join(import.meta.dirname, 'recorded.json');
const DOCS = join(import.meta.dirname, '../../docs/authentication.md');
const BEGIN = '<!-- access table: npm run access-table -- --record -->\n';
const END = '<!-- end of the access table -->\n';

/** The last recorded run of all clients, and what docs/authentication.md shows of it. */
export const record = {
  read: (): Recorded[] => JSON.parse(readFileSync(FILE, 'utf8')),

  write(rows: readonly Row[]): void {
    const lines = rows.map(({ mode, client, state, cell }) => `  ${JSON.stringify({ mode, client, state, cell })}`);
    writeFileSync(FILE, `[\n${lines.join(',\n')}\n]\n`);
    const { before, after } = parts();
    writeFileSync(DOCS, `${before}${tablesOf(rows)}${after}`);
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
