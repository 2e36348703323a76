import type { z } from 'zod';
import type { KeyFinding, KeyPath } from './key-path.ts';

type Issue = z.core.$ZodIssue;

/** A schema's complaint as findings that say what was expected. @param input the document, to say what was found */
export function findingsOf(issue: Issue, input: unknown, known: (path: KeyPath) => readonly string[]): KeyFinding[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...path, key], known(path)));
  if (issue.code === 'invalid_union') return unionFindings(issue, path, input, known);
  const value = valueAt(input, path);
  if (value === undefined && issue.code === 'invalid_type')
    return [{ path, message: `is missing; expected ${expectation(issue)}` }];
  return [{ path, message: `${shown(value)}; expected ${expectation(issue)}` }];
}

function expectation(issue: Issue): string {
  // The schema's own words are better than any made from the code of the issue.
  if (!/^(Invalid|Too (small|big)|Unrecognized)/.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') return article(issue.expected);
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(' or ');
  if (issue.code === 'too_small')
    return `at least ${issue.minimum}${issue.origin === 'array' ? ' entries' : issue.origin === 'string' ? ' characters' : ''}`;
  if (issue.code === 'too_big') return `at most ${issue.maximum}`;
  if (issue.code === 'invalid_key') return `a key of ${issue.issues.map((inner) => expectation(inner)).join(', ')}`;
  return issue.message.replace(/^Invalid input: expected /, '');
}

/** Of a union that nothing fits, the branch of the kind that was written: an object is told what its keys lack. */
function unionFindings(
  issue: Issue & { code: 'invalid_union' },
  path: KeyPath,
  input: unknown,
  known: (path: KeyPath) => readonly string[],
): KeyFinding[] {
  const value = valueAt(input, path);
  const meant = issue.errors.filter(
    (branch) => !branch.some((inner) => inner.path.length === 0 && inner.code !== 'unrecognized_keys'),
  );
  const branch = typeof value === 'object' && value !== null ? meant[0] : undefined;
  if (branch) return branch.flatMap((inner) => findingsOf({ ...inner, path: [...path, ...inner.path] }, input, known));
  const choices = [...new Set(issue.errors.flatMap((inner) => inner.slice(0, 1).map(expectation)))].join(', or ');
  return [{ path, message: `${value === undefined ? 'is missing' : shown(value)}; expected ${choices}` }];
}

function unknownKey(path: KeyPath, names: readonly string[]): KeyFinding {
  const name = String(path.at(-1));
  const near = names
    .map((candidate) => ({ candidate, distance: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const hint =
    near && near.distance <= Math.max(2, name.length / 3)
      ? `; did you mean "${near.candidate}"?`
      : names.length > 0
        ? `; there are ${[...names].sort().join(', ')}`
        : '';
  return { path, message: `is no key that is known here${hint}`, atKey: true };
}

function valueAt(input: unknown, path: KeyPath): unknown {
  let value = input;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'is a list' : 'is a map';
  return `is ${JSON.stringify(value)?.slice(0, 80) ?? 'missing'}`;
}

function article(expected: string): string {
  const names: Record<string, string> = {
    object: 'a map',
    record: 'a map',
    array: 'a list',
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  };
  return names[expected] ?? expected;
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, substituted));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
