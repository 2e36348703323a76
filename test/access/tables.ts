import type { Outcome } from './outcome.ts';
import { type Cell, type Row, STATES, type State } from './table-run.ts';

const HEADINGS: Record<State, string> = {
  healthy: 'healthy',
  down: 'down',
  hung: 'hung',
  'no-database': 'database dead',
  moved: 'VIP moved',
};
const WORDS: Record<Outcome, string> = {
  primary: 'primary',
  fallback: 'fallback',
  pushed: 'pushed',
  refused: 'refused',
  told: 'told why not',
  later: '503',
  unclear: '?',
};
const ORDER: readonly (keyof Cell)[] = ['pull', 'other', 'push', 'wrong'];

/** One Markdown table a mode: a line a client, a column a state. */
export function tablesOf(rows: readonly Omit<Row, 'said'>[]): string {
  const tables = [...Map.groupBy(rows, ({ mode }) => mode)].map(([mode, ofMode]) => {
    const clients = [...Map.groupBy(ofMode, ({ client }) => client)].map(([client, cells]) =>
      line([client, ...STATES.map((state) => wordsOf(cells.find((row) => row.state === state)?.cell))]),
    );
    const head = [line([`\`${mode}\``, ...STATES.map((state) => HEADINGS[state])]), `|${'---|'.repeat(6)}`];
    return `${[...head, ...clients].join('\n')}\n`;
  });
  return `\n${tables.join('\n')}\n`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function wordsOf(cell: Cell | undefined): string {
  return cell ? ORDER.map((name) => WORDS[cell[name]]).join(', ') : '';
}
