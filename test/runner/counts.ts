export interface Counts {
  passed: number;
  failed: number;
  /** Tests marked SKIP or TODO. */
  skipped: number;
}

export const NO_COUNTS: Counts = { passed: 0, failed: 0, skipped: 0 };

/** Reads the line with which tap ends its output: `# { total: 9, pass: 7, fail: 1, skip: 1 }`. Undefined: there is none. */
export function readCounts(output: string): Counts | undefined {
  const line = [...output.matchAll(/^# \{ (total: .*) \}$/gm)].at(-1)?.[1];
  if (line === undefined) return undefined;
  const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
}

export function addCounts(all: readonly Counts[]): Counts {
  return all.reduce(
    (sum, one) => ({
      passed: sum.passed + one.passed,
      failed: sum.failed + one.failed,
      skipped: sum.skipped + one.skipped,
    }),
    NO_COUNTS,
  );
}

/** The tests that were left out, with the reason: `one: not installed: podman`. */
export function skippedTests(output: string): string[] {
  return [...output.matchAll(/^ *ok \d+ - (.*?) # (?:SKIP|TODO)\b ?(.*)$/gim)].map(
    ([, name, reason]) => `${name}: ${reason || 'no reason given'}`,
  );
}

/** What a person needs of the output of a failed run: all of it but the assertions that passed. */
export function withoutPasses(output: string): string {
  return output
    .split('\n')
    .filter((line) => !/^\s*(ok \d+|1\.\.\d+|$)/.test(line))
    .join('\n');
}
