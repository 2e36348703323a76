import { table } from '../src/cli/table.ts';

/** One part of the result. */
export interface Section {
  title: string;
  /** What was measured and how, for the reader of the numbers. */
  about: string;
  columns: string[];
  rows: string[][];
  /** What went wrong that a good run has not. */
  problems: string[];
}

const MISSING = 'missing';

/** A number for a table. `digits` after the point. */
export function figure(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : MISSING;
}

export function hasGaps({ rows }: Section): boolean {
  return rows.length === 0 || rows.some((row) => row.includes(MISSING));
}

export function asText({ title, columns, rows }: Section): string {
  return `\n${title}\n${table([columns, ...rows])}\n`;
}

export function asMarkdown({ title, about, columns, rows, problems }: Section): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const lines = [line(columns), line(columns.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)];
  const found = problems.map((problem) => `- ${problem}`);
  return `## ${title}\n\n${about}\n\n${[...lines, ...(found.length > 0 ? ['', ...found] : [])].join('\n')}\n`;
}
