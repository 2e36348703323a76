import { addCounts, type Counts, skippedTests, withoutPasses } from './counts.ts';
import type { Result } from './job.ts';

const LONGEST = 10;
/** Characters of a failed process's output: its log files are longer than what a terminal keeps. */
const SHOWN = 20_000;

/** What is said as soon as a process has ended: little, if all is well. */
export function reportResult({ job, counts, output, seconds, problem }: Result): string {
  const line = `${counts.failed > 0 ? 'FAILED' : 'ok'} ${job.name} (${seconds.toFixed(1)} s)`;
  if (counts.failed === 0) return line;
  const shown = withoutPasses(output);
  const cut = shown.length > SHOWN ? `${shown.slice(0, SHOWN)}\n… (all of it: .tap/results/${job.name}.tap)` : shown;
  return `${line}\n${cut}\n${problem ? `bin/test: ${job.name}: ${problem}\n` : ''}`;
}

/** What is said at the end. Its last line is alone: `N passed, N failed`. */
export function reportAll(results: readonly Result[], { passed, failed, skipped }: Counts, seconds: number): string {
  const longest = results.toSorted((one, other) => other.seconds - one.seconds).slice(0, LONGEST);
  const bad = results.filter(({ counts }) => counts.failed > 0);
  return [
    '',
    `${results.length} processes in ${seconds.toFixed(0)} s; the longest:`,
    ...longest.map((one) => `  ${one.seconds.toFixed(1)} s ${one.job.name}`),
    ...heading(
      'left out:',
      results.flatMap(({ output }) => skippedTests(output)),
    ),
    ...heading(
      'failed:',
      bad.map(({ job }) => job.name),
    ),
    `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
  ].join('\n');
}

function heading(title: string, lines: readonly string[]): string[] {
  return lines.length > 0 ? [title, ...lines.map((line) => `  ${line}`)] : [];
}

export function sumOf(results: readonly Result[]): Counts {
  return addCounts(results.map(({ counts }) => counts));
}
