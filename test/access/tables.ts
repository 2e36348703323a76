import type { Outcome } from './outcome.ts';
import type { Recorded } from './record.ts';
import { STATES, type State } from './table-run.ts';

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

/** One Markdown table a mode: a line a client, a column a state. */
export function tablesOf(recorded: Recorded): string {
  const tables = Object.entries(recorded).map(([mode, clients]) => {
    const head = [line([`\`${mode}\``, ...STATES.map((state) => HEADINGS[state])]), `|${'---|'.repeat(6)}`];
    const rows = Object.entries(clients).map(([client, cells]) =>
      line([client, ...STATES.map((state) => shown(cells[state] ?? ''))]),
    );
    return `${[...head, ...rows].join('\n')}\n`;
  });
  return `\n${tables.join('\n')}\n`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function shown(outcomes: string): string {
  return outcomes
    .split(' ')
    .map((outcome) => WORDS[outcome as Outcome] ?? outcome)
    .join(', ');
}
