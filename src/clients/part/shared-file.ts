import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'smol-toml';
import { type Document, parseDocument } from 'yaml';
import type { Edit, SharedPart } from '../generate/generated.ts';
import { applyEdit, conflictIn, PartError } from './edit.ts';

/**
 * A shared file with its part in it: as it is, if it has the part already.
 * @param present what the file holds now; undefined: there is no such file
 * @throws PartError if that cannot be read, or does not go together with the part
 */
export function withPart(part: SharedPart, present: string | undefined): string {
  if (present === undefined || present.trim() === '') return FORMATS[part.format](part, undefined);
  return FORMATS[part.format](part, present);
}

/** Whether the comments of a file are lost when a part is added. */
export function losesComments(part: SharedPart, present: string): boolean {
  return part.format === 'toml' && /(^|\s)#/m.test(present);
}

const FORMATS: Record<SharedPart['format'], (part: SharedPart, present: string | undefined) => string> = {
  json(part, present) {
    const parseFile = (): unknown => (present === undefined ? {} : read(() => JSON.parse(present)));
    const after = edited(part, parseFile());
    if (present !== undefined && isDeepStrictEqual(after, parseFile())) return present;
    const indent = /^[{[]\r?\n([ \t]+)/.exec(present ?? '')?.[1] ?? '  ';
    return `${JSON.stringify(after, undefined, indent)}\n`;
  },
  toml(part, present) {
    // Whole numbers as BigInt: 1 and 1.0 stay what they are.
    const parseFile = () => (present === undefined ? {} : read(() => parse(present, { integersAsBigInt: true })));
    const after = edited(part, parseFile());
    if (present !== undefined && isDeepStrictEqual(after, parseFile())) return present;
    const text = stringify(after, { numbersAsFloat: true });
    return present === undefined ? `${comments(part)}${text}` : text;
  },
  yaml(part, present) {
    const document: Document = parseDocument(present ?? comments(part));
    const [error] = document.errors;
    if (error) throw new PartError(error.message.split('\n')[0]);
    const after = edited(part, document.toJS() ?? {});
    if (present !== undefined && isDeepStrictEqual(after, document.toJS())) return present;
    // Comments stay, since only what the part sets is changed in the document.
    for (const { path, value } of editsFor(part, after)) {
      // A key without a value holds no map that something could be added to.
      for (const [index] of path.entries())
        if (document.hasIn(path.slice(0, index)) && document.getIn(path.slice(0, index)) === null)
          document.deleteIn(path.slice(0, index));
      document.setIn(path, document.createNode(value));
    }
    return document.toString({ lineWidth: 0 });
  },
};

/** Changes the values of a file. */
function edited(part: SharedPart, values: unknown): Record<string, unknown> {
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new PartError('is not a map at its top; expected keys and values');
  const map = values as Record<string, unknown>;
  refuseConflicts(part, map);
  for (const edit of editsFor(part, map)) applyEdit(map, part.format === 'toml' ? withBigInt(edit) : edit);
  return map;
}

function refuseConflicts({ conflicts = [] }: SharedPart, values: Record<string, unknown>): void {
  const conflict = conflictIn(values, conflicts);
  if (conflict !== undefined) throw new PartError(conflict);
}

function editsFor({ edits, editsByVersion }: SharedPart, values: Record<string, unknown>): readonly Edit[] {
  if (!editsByVersion || Object.keys(values).length === 0) return edits;
  const version = String(values.version ?? 1);
  const found = editsByVersion[version];
  if (found) return found;
  const known = Object.keys(editsByVersion).join(' or ');
  throw new PartError(
    `has version = ${version}; this program's version reads ${known}. Give another --client-version, or migrate the file.`,
  );
}

function withBigInt(edit: Edit): Edit {
  return typeof edit.value === 'number' ? { ...edit, value: BigInt(edit.value) } : edit;
}

function comments({ comment }: SharedPart): string {
  return comment.length === 0 ? '' : `${comment.map((line) => `# ${line}\n`).join('')}\n`;
}

/** @throws PartError with the first line of the parser's reason, which names line and column */
function read<T>(parseText: () => T): T {
  try {
    return parseText();
  } catch (error) {
    const { message, line, column } = error as Error & { line?: number; column?: number };
    const at = line === undefined ? '' : `line ${line}, column ${column}: `;
    throw new PartError(`${at}${message.split('\n')[0]}`);
  }
}
