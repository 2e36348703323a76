import { z } from 'zod';
import type { KeyFinding, KeyPath } from './key-path.ts';
import { nearest } from './nearest.ts';

type Issue = z.core.$ZodIssue;

/** Turns an issue of the schema into findings. @param input the whole document, to show the value that was found */
export function findingsOf(issue: Issue, input: unknown): KeyFinding[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...path, key], issue.message.split(', ')));
  if (issue.code === 'invalid_union') return unionFindings(issue, path, input);
  if (issue.code === 'invalid_key')
    return [{ path, message: `is not a valid name; expected ${issue.message}`, atKey: true }];
  const value = valueAtPath(input, path);
  return [{ path, message: `${shownValue(value, path)}; expected ${issue.message}${suggestion(value, [issue])}` }];
}

/** The message of an issue: what the schema expects, where it does not say so itself. Of unknown keys: the known keys. */
export function expectedText(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'unrecognized_keys' && issue.inst instanceof z.ZodObject)
    return Object.keys(issue.inst.shape).sort().join(', ');
  if (issue.code === 'invalid_type') return TYPE_NAMES[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(' or ');
  if (issue.code === 'too_small') return `at least ${issue.minimum}${unit(issue.origin, Number(issue.minimum))}`;
  if (issue.code === 'too_big') return `at most ${issue.maximum}${unit(issue.origin, Number(issue.maximum))}`;
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => message).join(', ');
  return undefined;
}

function unit(origin: string, count: number): string {
  if (origin === 'array') return count === 1 ? ' entry' : ' entries';
  if (origin === 'string') return count === 1 ? ' character' : ' characters';
  return '';
}

/** Picks the branch of a union that has the same kind of value and knows most of its keys, so that an object is told about the others. */
function unionFindings(issue: Issue & { code: 'invalid_union' }, path: KeyPath, input: unknown): KeyFinding[] {
  const value = valueAtPath(input, path);
  const fitting = issue.errors.filter(
    (branch) => !branch.some((inner) => inner.path.length === 0 && inner.code !== 'unrecognized_keys'),
  );
  const unknownKeys = (branch: readonly Issue[]) =>
    branch.reduce(
      (sum, inner) => sum + (inner.code === 'unrecognized_keys' && inner.path.length === 0 ? inner.keys.length : 0),
      0,
    );
  const closest = fitting.toSorted((one, other) => unknownKeys(one) - unknownKeys(other))[0];
  const branch = typeof value === 'object' && value !== null ? closest : undefined;
  if (branch) return branch.flatMap((inner) => findingsOf({ ...inner, path: [...path, ...inner.path] }, input));
  const choices = [...new Set(issue.errors.flatMap((inner) => inner.slice(0, 1).map(({ message }) => message)))].join(
    ', or ',
  );
  const message = `${shownValue(value, path)}; expected ${choices}${suggestion(value, issue.errors.flat())}`;
  return [{ path, message }];
}

/** The allowed value that was probably meant. */
function suggestion(value: unknown, issues: readonly Issue[]): string {
  const choices = issues.flatMap((issue) => (issue.code === 'invalid_value' ? issue.values : [])).map(String);
  const near = typeof value === 'string' ? nearest(value, choices) : undefined;
  return near === undefined ? '' : `; did you mean "${near}"?`;
}

function unknownKey(path: KeyPath, names: readonly string[]): KeyFinding {
  const near = nearest(String(path.at(-1)), names);
  const hint = near === undefined ? `; there are ${names.join(', ')}` : `; did you mean "${near}"?`;
  return { path, message: `is not a known key${hint}`, atKey: true };
}

function valueAtPath(input: unknown, path: KeyPath): unknown {
  let value = input;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

const TYPE_NAMES: Record<string, string> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

const MAX_SHOWN = 60;
/** Keys where users sometimes write the secret itself in place of its file name. */
const SECRET =
  /^(credentials|username|password|passwordFile|tokenFile|keyFile|adminTokenFile|metricsTokenFile|hookSecretFile)$/;

/** A value as a message may show it: no secret, no control characters, not long. */
export function shownValue(value: unknown, path: KeyPath): string {
  if (value === undefined) return 'is missing';
  if (value === null) return 'is empty';
  if (Array.isArray(value)) return 'is a list';
  if (typeof value === 'object') return 'is a map';
  if (SECRET.test(String(path.at(-1))))
    return `is ${typeof value === 'string' ? 'text' : `a ${typeof value}`} that is not shown`;
  if (typeof value !== 'string') return `is ${String(value)}`;
  const text = path.includes('urls') ? withoutSecrets(value) : value;
  return `is ${JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text)}`;
}

/** Removes user, password and query from a URL. */
function withoutSecrets(url: string): string {
  return url.replace(/^([a-z+.-]+:\/\/)?.*@/is, '$1…@').replace(/[?#].*$/s, '?…');
}
