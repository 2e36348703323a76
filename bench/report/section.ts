import { table } from '../../src/cli/text-format.ts';
import type { BarChart } from './bar-chart.ts';
import type { Target } from './target.ts';

/** One part of the result. */
export interface Section {
  title: string;
  /** What was measured and how, for the reader of the numbers. */
  about: string;
  columns: string[];
  rows: string[][];
  chart?: BarChart;
  /** Targets to be met. */
  targets: Target[];
  /** Every single measurement, for bench/results.json. */
  data: unknown;
  /** What `--details` shows. */
  details?: string[];
  /** Problems that a good run does not have. */
  problems: string[];
}

const MISSING = 'missing';

/** A number for a table. `digits` after the point. */
export function figure(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : MISSING;
}

/** A number as a multiple of nginx's; nothing where nginx was not measured. */
export function multiple(value: number, nginx: number | undefined): string {
  return nginx === undefined ? '' : figure(value / nginx, 2);
}

export function hasGaps({ rows }: Section): boolean {
  return rows.length === 0 || rows.some((row) => row.includes(MISSING));
}

export function asText({ title, columns, rows, targets }: Section): string {
  const reached = targets.map(({ what, bound, reached, met }) => [met ? 'met' : 'NOT met', what, bound, reached]);
  return `\n${title}\n${table([columns, ...rows])}\n${table(reached)}\n`;
}

export function asMarkdown({ title, about, columns, rows, problems, chart }: Omit<Section, 'details'>): string {
  const found = problems.map((problem) => `- ${problem}`);
  const drawing = chart ? `![${chart.title}](${chart.name}.svg)\n\n` : '';
  return `## ${title}\n\n${about}\n\n${drawing}${[...markdownTable(columns, rows), ...(found.length > 0 ? ['', ...found] : [])].join('\n')}\n`;
}

/** Lines of a table; all columns but the first are numbers. */
export function markdownTable(columns: readonly string[], rows: readonly string[][]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(columns), line(columns.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)];
}
