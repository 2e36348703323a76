import { type AST, parseTOML } from 'toml-eslint-parser';
import type { Located, LocatedMap } from './document.ts';
import { ParseFailure, reasonOf } from './parse-failure.ts';

/** @throws ParseFailure */
export function parseToml(text: string): LocatedMap {
  const root = emptyMap(1, 'header');
  try {
    const program = parseTOML(text, { tomlVersion: '1.0' });
    for (const part of program.body[0].body)
      if (part.type === 'TOMLTable') addTable(root, part);
      else addPair(root, part);
  } catch (error) {
    throw new ParseFailure(reasonOf(error), lineOf(error));
  }
  return root;
}

function lineOf(error: unknown): number {
  const line = error instanceof Error && 'lineNumber' in error ? Number(error.lineNumber) : 1;
  return Number.isInteger(line) && line > 0 ? line : 1;
}

function emptyMap(line: number, written: LocatedMap['written']): LocatedMap {
  return { kind: 'map', line, written, entries: new Map() };
}

/** `[a.b]` and `[[a.b]]`. */
function addTable(root: LocatedMap, table: AST.TOMLTable): void {
  const line = table.loc.start.line;
  const keys = namesOf(table.key);
  const last = keys.pop();
  if (last === undefined) return;
  const parent = descend(root, keys, line);
  const target = emptyMap(line, 'header');
  if (table.kind === 'array') {
    const list = parent.entries.get(last)?.value;
    if (list?.kind === 'list') list.items.push(target);
    else parent.entries.set(last, { line, value: { kind: 'list', line, items: [target] } });
    for (const pair of table.body) addPair(target, pair);
    return;
  }
  const present = parent.entries.get(last)?.value;
  const map = present?.kind === 'map' ? present : target;
  if (map === target) parent.entries.set(last, { line, value: target });
  map.written = 'header';
  map.line = line;
  for (const pair of table.body) addPair(map, pair);
}

function addPair(target: LocatedMap, pair: AST.TOMLKeyValue): void {
  const line = pair.loc.start.line;
  const keys = namesOf(pair.key);
  const last = keys.pop();
  if (last !== undefined) descend(target, keys, line).entries.set(last, { line, value: toLocated(pair.value) });
}

/** The map at a path, made where it is not there. The last element of a list of tables counts. */
function descend(root: LocatedMap, keys: readonly string[], line: number): LocatedMap {
  let at = root;
  for (const key of keys) {
    const value = at.entries.get(key)?.value;
    const inner = value?.kind === 'list' ? value.items.at(-1) : value;
    if (inner?.kind === 'map') {
      at = inner;
      continue;
    }
    const made = emptyMap(line, 'inline');
    at.entries.set(key, { line, value: made });
    at = made;
  }
  return at;
}

function namesOf(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
}

function toLocated(node: AST.TOMLContentNode): Located {
  const line = node.loc.start.line;
  if (node.type === 'TOMLArray') return { kind: 'list', line, items: node.elements.map(toLocated) };
  if (node.type === 'TOMLInlineTable') {
    const map = emptyMap(line, 'inline');
    for (const pair of node.body) addPair(map, pair);
    return map;
  }
  return { kind: 'scalar', line, value: node.value instanceof Date ? undefined : node.value };
}
