import type { Verdict } from '../../nginx/import/notes.ts';
import type { ReportLine } from '../../nginx/import/report.ts';
import { countText } from '../text-format.ts';

const WORDS: Record<Verdict, string> = {
  taken: 'taken over',
  better: 'better now',
  cannot: 'cannot be',
  apart: 'not needed',
};

/** The report for a person: every directive with what becomes of it, file by file. */
export function reportText(lines: readonly ReportLine[], todo: readonly string[]): string {
  const parts: string[] = [];
  let file: string | undefined;
  for (const line of lines) {
    if (line.file !== file) parts.push(`${parts.length > 0 ? '\n' : ''}${printable(line.file)}`);
    file = line.file;
    const see = line.see === undefined ? '' : ` (${line.see})`;
    parts.push(
      `${String(line.line).padStart(6)}  ${line.isImportant ? 'CANNOT BE' : WORDS[line.verdict].padEnd(10)}${line.isImportant ? ' ' : ''}  ${line.directive}`,
    );
    parts.push(`        ${printable(line.text)}${see}`);
  }
  if (todo.length > 0) parts.push('', 'Before the first start:', ...todo.map((one) => `- ${printable(one)}`));
  return `${parts.join('\n')}\n\n${summaryText(lines)}`;
}

/** How many directives became what, and which important ones cannot be. */
export function summaryText(lines: readonly ReportLine[]): string {
  const count = (verdict: Verdict) => lines.filter((line) => line.verdict === verdict).length;
  const important = lines.filter(({ isImportant }) => isImportant);
  const totals = `${countText(lines.length, 'directive')}: ${count('taken')} taken over, ${count('better')} better now, ${count('cannot')} cannot be (${important.length} of them important), ${count('apart')} not needed\n`;
  return (
    totals +
    important.map((one) => `${printable(one.file)}:${one.line}: ${one.directive} ${printable(one.text)}\n`).join('')
  );
}

function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, '?');
}
