import { type DocumentNode, parse, type ValueNode } from '@humanwhocodes/momoa';
import type { Located, LocatedMap } from './document.ts';
import { ParseFailure, reasonOf } from './parse-failure.ts';

/**
 * @param fixedLine the line of every value, for JSON inside another file
 * @throws ParseFailure
 */
export function parseJson(text: string, fixedLine?: number): Located {
  let document: DocumentNode;
  try {
    document = parse(text, { mode: 'json' });
    return toLocated(document.body, fixedLine);
  } catch (error) {
    const line = error instanceof Error && 'line' in error ? Number(error.line) : 1;
    throw new ParseFailure(reasonOf(error), fixedLine ?? (Number.isInteger(line) ? line : 1));
  }
}

function toLocated(node: ValueNode, fixedLine: number | undefined): Located {
  const line = fixedLine ?? node.loc.start.line;
  if (node.type === 'Array')
    return { kind: 'list', line, items: node.elements.map(({ value }) => toLocated(value, fixedLine)) };
  if (node.type !== 'Object') return { kind: 'scalar', line, value: 'value' in node ? node.value : undefined };
  const map: LocatedMap = { kind: 'map', line, written: 'inline', entries: new Map() };
  for (const { name, value } of node.members) {
    const key = name.type === 'String' ? name.value : name.name;
    map.entries.set(key, { line: fixedLine ?? name.loc.start.line, value: toLocated(value, fixedLine) });
  }
  return map;
}
