import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from '../../src/clients/kinds.ts';
import type { Row, State } from './nodes-run.ts';
import { PROGRAMS, READERS } from './pullers.ts';

const DOCS = join(import.meta.dirname, '../../docs/clients.md');
const BEGIN = '<!-- what was run: npm run clients -- --record -->\n';
const END = '<!-- end of what was run -->\n';
const NOT_RUN = 'not run';

/** Rules of the linter that find something, for each kind. */
export type Linted = Readonly<Record<string, readonly string[]>>;

/** docs/clients.md: the table between its markers is written by a run. */
export const page = {
  of: (rows: readonly Row[], linted: Linted): string => tableOf(rows, linted),

  read: (): string => parts().shown,

  write(rows: readonly Row[], linted: Linted): void {
    const { before, after } = parts();
    writeFileSync(DOCS, `${before}${tableOf(rows, linted)}${after}`);
  },
};

function parts(): { before: string; shown: string; after: string } {
  const text = readFileSync(DOCS, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${DOCS} has no place for what a run writes`);
  const start = from + BEGIN.length;
  return { before: text.slice(0, start), shown: text.slice(start, to), after: text.slice(to) };
}

function tableOf(rows: readonly Row[], linted: Linted): string {
  const lines = Object.keys(KINDS).flatMap((kind) => {
    const programs = Object.entries(PROGRAMS).filter(([, program]) => program.kind === kind);
    if (programs.length === 0)
      return [[kind, lintCell(linted[kind]), READERS[kind] ?? NOT_RUN, NOT_RUN, NOT_RUN, NOT_RUN]];
    return programs.map(([name, { by, withFallback }]) => {
      const row = rows.find(({ program }) => program === name);
      return [kind, lintCell(linted[kind]), row ? `${by} (${row.version})` : by, ...pullCells(row, withFallback)];
    });
  });
  return [
    '',
    '| kind | `--lint` of the files | pulled by | all is well | primary frozen | no edge, `--with-fallback` |',
    '|---|---|---|---|---|---|',
    ...lines.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    '',
  ].join('\n');
}

function lintCell(rules: readonly string[] | undefined): string {
  if (rules === undefined) return NOT_RUN;
  return rules.length === 0 ? 'no findings' : rules.map((rule) => `\`${rule}\``).join(', ');
}

function pullCells(row: Row | undefined, withFallback: boolean): string[] {
  const said = (state: State) => {
    if (row === undefined) return NOT_RUN;
    if (state === 'dead' && !withFallback) return 'cannot';
    return row.pulled[state] ? 'pulled' : '**failed**';
  };
  return [said('healthy'), said('frozen'), said('dead')];
}
