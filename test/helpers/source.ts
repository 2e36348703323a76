import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface Import {
  /** As written: `node:fs`, `zod`, `../oci/error.ts`. */
  specifier: string;
  /** Only types, so that nothing is loaded at run time. */
  typeOnly: boolean;
  /** Path from the checkout's root, for a relative import. */
  file?: string;
}

/** One source file, as text. */
export interface Source {
  /** Path from the checkout's root, such as `src/oci/error.ts`. */
  file: string;
  /** `oci` for `src/oci/error.ts`; empty for what stands directly in `src/`. */
  folder: string;
  text: string;
  /** The text without its comments. */
  code: string;
  imports: Import[];
}

/** Every TypeScript file below a folder of the checkout. */
export function readSources(below: string): Source[] {
  const entries = readdirSync(join(root, below), { recursive: true, encoding: 'utf8' });
  return entries
    .filter((entry) => entry.endsWith('.ts'))
    .sort()
    .map((entry) => read(below, entry));
}

function read(below: string, entry: string): Source {
  const text = readFileSync(join(root, below, entry), 'utf8');
  const code = withoutComments(text);
  const [first = '', ...rest] = entry.split('/');
  const file = join(below, entry);
  return { file, folder: rest.length > 0 ? first : '', text, code, imports: importsOf(file, code) };
}

const STATEMENT = /^(?:import|export)\s+(?:(?<what>[\w$*,{}\s]+?)\s*\bfrom\s*)?['"](?<specifier>[^'"]+)['"]/gm;
const DYNAMIC = /\bimport\(\s*['"](?<specifier>[^'"]+)['"]/g;

function importsOf(file: string, code: string): Import[] {
  const found: Import[] = [];
  for (const { groups } of [...code.matchAll(STATEMENT), ...code.matchAll(DYNAMIC)]) {
    const { specifier = '', what } = groups ?? {};
    const typeOnly = /^\s*type\b(?!\s*,)/.test(what ?? '');
    const to = specifier.startsWith('.') ? relative(root, join(root, dirname(file), specifier)) : undefined;
    found.push({ specifier, typeOnly, ...(to ? { file: to } : {}) });
  }
  return found;
}

/** Strings are matched before comments, so that `'https://…'` stays. */
function withoutComments(text: string): string {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (match) => (match.startsWith('/') ? '' : match));
}
