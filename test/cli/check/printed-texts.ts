import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { type Node, parse } from 'acorn';

const ROOT = join(import.meta.dirname, '../../..');
/** What is said in the arguments of these is no message: it is documentation, or a pattern. */
const NO_MESSAGE = new Set(['describe', 'description', 'option', 'argument', 'command', 'meta', 'match', 'replace']);
/** A text of fewer words is a part of one, or no sentence. */
const LEAST_WORDS = 3;

/** A text of a source file that may be printed. */
export interface PrintedText {
  file: string;
  /** With `…` for each part that varies. */
  text: string;
  /** The runs of words between those parts. */
  runs: string[][];
}

/** The texts of all files in a folder that are long enough to be messages, by the parser. */
export function printedTexts(folder: string): PrintedText[] {
  const files = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.ts'));
  return files.flatMap((name) => textsOf(join(folder, name)));
}

function textsOf(file: string): PrintedText[] {
  const code = stripTypeScriptTypes(readFileSync(join(ROOT, file), 'utf8'));
  return partsIn(parse(code, { ecmaVersion: 'latest', sourceType: 'module' })).flatMap((parts) => {
    const runs = parts.map(wordsOf);
    const isSentence = runs.flat().length >= LEAST_WORDS && parts.some((part) => /[a-z] [a-z]/.test(part));
    return isSentence ? [{ file, text: parts.join('…'), runs }] : [];
  });
}

/** The texts in a part of the syntax tree, each in its fixed parts. */
function partsIn(node: unknown): string[][] {
  if (Array.isArray(node)) return node.flatMap(partsIn);
  if (typeof node !== 'object' || node === null || isNoMessage(node as Node)) return [];
  const own = partsOf(node as Node);
  return [...(own ? [own] : []), ...Object.values(node).flatMap(partsIn)];
}

function partsOf(node: Node): string[] | undefined {
  if (node.type === 'Literal') {
    const { value } = node as Node & { value: unknown };
    return typeof value === 'string' ? [value] : undefined;
  }
  if (node.type !== 'TemplateLiteral') return undefined;
  return (node as Node & { quasis: { value: { cooked: string } }[] }).quasis.map(({ value }) => value.cooked);
}

function isNoMessage(node: Node): boolean {
  if (node.type === 'ImportDeclaration') return true;
  const { callee } = node as Node & { callee?: { property?: { name?: string } } };
  return node.type === 'CallExpression' && NO_MESSAGE.has(callee?.property?.name ?? '');
}

/** The words of a text, without what stands between them. */
export function wordsOf(text: string): string[] {
  return text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
}

/** The words of every test in these folders, as one text. A pattern counts like the text that it matches. */
export function wordsOfTests(folders: readonly string[]): string {
  const texts = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(join(ROOT, folder, name), 'utf8').replaceAll(/\\[.$()[\]/?*+]/g, ' ')),
  );
  return ` ${texts.map((text) => wordsOf(text).join(' ')).join(' ')} `;
}

/** Whether tests have three words of the text in a row, or all of a shorter run. */
export function isShownIn(tests: string, { runs }: PrintedText): boolean {
  const longest = Math.max(...runs.map((run) => run.length));
  const size = Math.min(LEAST_WORDS, longest);
  return runs.some((run) =>
    run.some(
      (_, index) => index + size <= run.length && tests.includes(` ${run.slice(index, index + size).join(' ')} `),
    ),
  );
}
