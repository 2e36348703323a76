import type { Conflict, Edit } from '../generate/generated.ts';

type Values = Record<string, unknown>;

/** A file that cannot take a part. The message says which key, and what to do. */
export class PartError extends Error {
  override readonly name = 'PartError';
}

/** Makes one change to what a file holds. @throws PartError if the file has something else at that place */
export function applyEdit(values: Values, { path, value, how }: Edit): void {
  for (const [map, key, named] of placesOf(values, path, [])) {
    const present = map[key];
    if (how === 'set' || (how === 'default' && present === undefined)) map[key] = value;
    if (how === 'folder') map[key] = withFolder(present, String(value), named);
    if (how === 'set' || how === 'default' || how === 'folder') continue;
    if (present !== undefined && !Array.isArray(present))
      throw new PartError(`${named.join('.')} is not a list; expected a list of texts`);
    map[key] = withEntry(present ?? [], String(value), how);
  }
}

/** The first conflict that a file has. */
export function conflictIn(values: Values, conflicts: readonly Conflict[]): string | undefined {
  for (const { path, says } of conflicts) {
    const found = lookUp(values, path, []);
    if (found) return `${found.join('.')} ${says}`;
  }
  return undefined;
}

function withFolder(present: unknown, folder: string, named: readonly string[]): string {
  if (present === undefined || present === '') return folder;
  const text = String(present);
  if (text.split(':').includes(folder)) return text;
  throw new PartError(
    `${named.join('.')} is ${JSON.stringify(text)}: move what is there to ${folder}, and name that folder in the file`,
  );
}

function withEntry(list: readonly unknown[], text: string, how: 'first' | 'last' | 'variable'): unknown[] {
  if (how === 'last') return list.includes(text) ? [...list] : [...list, text];
  if (how === 'first') return [text, ...list.filter((entry) => entry !== text)];
  const name = `${text.split('=', 1)[0]}=`;
  return [...list.filter((entry) => !String(entry).startsWith(name)), text];
}

/** The maps in which the last key of a path stands; maps on the way are made. */
function placesOf(values: Values, path: readonly string[], above: string[]): [Values, string, string[]][] {
  const [key = '', ...rest] = path;
  const named = [...above, key];
  if (rest.length === 0) return [[values, key, named]];
  if (rest[0] === '*') {
    values[key] ??= [{}];
    const list = values[key];
    if (!Array.isArray(list)) throw new PartError(`${named.join('.')} is not a list; expected a list of tables`);
    return list.flatMap((entry, index) =>
      placesOf(asMap(entry, [...named, `${index}`]), rest.slice(1), [...named, `${index}`]),
    );
  }
  values[key] ??= {};
  return placesOf(asMap(values[key], named), rest, named);
}

function lookUp(value: unknown, path: readonly string[], above: string[]): string[] | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return value === undefined ? undefined : above;
  if (!isMap(value)) return undefined;
  const keys = key === '*' ? Object.keys(value) : [key];
  for (const one of keys) {
    const found = Object.hasOwn(value, one) ? lookUp(value[one], rest, [...above, one]) : undefined;
    if (found) return found;
  }
  return undefined;
}

function asMap(value: unknown, named: readonly string[]): Values {
  if (isMap(value)) return value;
  throw new PartError(`${named.join('.')} has a value; expected a table or map`);
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
