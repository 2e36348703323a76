import { basename, join, relative } from 'node:path';
import type { Node } from 'typescript/unstable/ast';
import * as is from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';
import { root } from '../helpers/markdown.ts';
import { PRIVATE_WORDS } from './private-words.ts';

/** A name that a file of src/, test/ or bench/ introduces. */
export interface DeclaredName {
  name: string;
  kind: 'file' | 'type' | 'function' | 'field';
  /** Path from the checkout's root. */
  file: string;
  /** Counted from 1; 1 for the name of a file. */
  line: number;
}

/** Names of files, types, functions and fields, found by the compiler's own parser in every file of tsconfig.json. */
export function declaredNames(): DeclaredName[] {
  const api = new API({ cwd: root });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [join(root, 'tsconfig.json')] });
    const names: DeclaredName[] = [];
    for (const { program } of snapshot.getProjects())
      for (const path of program.getSourceFileNames()) {
        const file = relative(root, path);
        if (!/^(src|test|bench)\//.test(file)) continue;
        names.push({ name: basename(file).replace(/\.(test\.)?[jt]s$/, ''), kind: 'file', file, line: 1 });
        const source = program.getSourceFile(path);
        if (source) collect(source, source.text, file, names);
      }
    return names;
  } finally {
    api.close();
  }
}

function collect(node: Node, text: string, file: string, names: DeclaredName[]): void {
  const kind = kindOf(node);
  const name = (node as Node & { name?: Node }).name;
  // A quoted key, such as a media type, is data and no name.
  if (kind && name && (is.isIdentifier(name) || is.isPrivateIdentifier(name)) && !isEnvironment(kind, name.text)) {
    const line = text.slice(0, name.end).split('\n').length;
    names.push({ name: name.text, kind, file, line });
  }
  node.forEachChild((child) => collect(child, text, file, names));
}

/** `TEST_PATIENCE` in an object is a variable of the environment, which users set by that name. */
function isEnvironment(kind: DeclaredName['kind'], name: string): boolean {
  return kind === 'field' && /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(name);
}

function kindOf(node: Node): DeclaredName['kind'] | undefined {
  if (is.isInterfaceDeclaration(node) || is.isTypeAliasDeclaration(node)) return 'type';
  if (is.isClassDeclaration(node) || is.isEnumDeclaration(node)) return 'type';
  if (is.isFunctionDeclaration(node) || is.isMethodDeclaration(node) || is.isMethodSignatureDeclaration(node))
    return 'function';
  if (is.isVariableDeclaration(node) && node.initializer)
    return is.isArrowFunction(node.initializer) || is.isFunctionExpression(node.initializer) ? 'function' : undefined;
  if (is.isPropertyDeclaration(node) || is.isPropertySignatureDeclaration(node) || is.isPropertyAssignment(node))
    return 'field';
  if (is.isGetAccessorDeclaration(node) || is.isSetAccessorDeclaration(node)) return 'field';
  return undefined;
}

/** `ownRequestHTTP2` and `own-request-http2` both give `own request http2`, in lower case. */
export function wordsOfName(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}

/** Whether a name has a word, or several in a row, whole. */
export function hasWord(name: string, word: string): boolean {
  return ` ${wordsOfName(name).join(' ')} `.includes(` ${wordsOfName(word).join(' ')} `);
}

/** Every declared name that has a private word, as `src/file.ts:12: type Herd (Herd)`. */
export function privateNames(): string[] {
  return declaredNames().flatMap(({ name, kind, file, line }) =>
    PRIVATE_WORDS.filter((word) => hasWord(name, word)).map((word) => `${file}:${line}: ${kind} ${name} (${word})`),
  );
}
