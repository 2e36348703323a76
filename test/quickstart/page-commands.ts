import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lexer, type Token } from 'marked';
import { root } from '../helpers/markdown.ts';

export const PAGE = 'docs/quickstart.md';

/** The commands of a page, in their order: each line of its blocks of `sh`. A line that ends in a backslash goes on. */
export function commandsOf(text: string): string[] {
  return lexer(text)
    .filter((token: Token) => token.type === 'code' && token.lang === 'sh')
    .flatMap((token) => ('text' in token ? token.text : '').replace(/\\\n\s*/g, '').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

export function pageCommands(): string[] {
  return commandsOf(readFileSync(join(root, PAGE), 'utf8'));
}
