import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import GithubSlugger from 'github-slugger';
import { lexer, type Token } from 'marked';

export const root = join(import.meta.dirname, '../..');

/** One page as its reader meets it. */
export interface Page {
  /** Path from the checkout's root, such as `docs/ledger.md`. */
  file: string;
  /** Running text, one sentence each, without tables and blocks of code. A piece of code in a line counts as one word. */
  sentences: string[];
  /** Where links and pictures lead, as written. */
  links: string[];
  /** The fragments that links to this page may have, as GitHub makes them of the headings. */
  anchors: Set<string>;
}

/** Every Markdown file of the checkout, without what is installed, built or brought along as a fixture. */
export function markdownFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md') && !/(^|\/)(node_modules|dist|\.tap|fixtures|coverage)\//.test(file))
    .sort();
}

export function readPage(file: string): Page {
  return parsePage(file, readFileSync(join(root, file), 'utf8'));
}

/** Splits a page by a Markdown parser. */
export function parsePage(file: string, text: string): Page {
  const page: Page = { file, sentences: [], links: [], anchors: new Set() };
  const slugger = new GithubSlugger();
  visit(lexer(text), (token) => {
    if (token.type === 'link' || token.type === 'image') page.links.push(token.href);
    if (token.type === 'heading') page.anchors.add(slugger.slug(plainText(tokensOf(token))));
    if (token.type === 'html')
      for (const [, name = ''] of token.raw.matchAll(/\bid="([^"]+)"/g)) page.anchors.add(name);
    if (isProse(token)) page.sentences.push(...sentencesOf(plainText(tokensOf(token), 'Code')));
  });
  return page;
}

/** False for links to other sites. */
export function isRelative(link: string): boolean {
  return !/^[a-z][a-z+.-]*:/i.test(link);
}

/** Where a relative link of a page leads: a path from the checkout's root, and the fragment if there is one. */
export function targetOf(file: string, link: string): { path: string; anchor?: string } {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? file : posix.join(posix.dirname(file), decodeURIComponent(path));
  return { path: target.replace(/\/$/, ''), ...(anchor === undefined ? {} : { anchor }) };
}

/** A paragraph, or the line of an item of a tight list. */
function isProse(token: Token): boolean {
  return token.type === 'paragraph' || (token.type === 'text' && tokensOf(token).length > 0);
}

function tokensOf(token: Token): readonly Token[] {
  return ('tokens' in token && token.tokens) || [];
}

function visit(tokens: readonly Token[], look: (token: Token) => void): void {
  for (const token of tokens) {
    look(token);
    if (token.type === 'table') {
      for (const cell of [...token.header, ...token.rows.flat()]) visitInline(cell.tokens, look);
    } else if (token.type === 'list') {
      for (const item of token.items) visit(item.tokens, look);
    } else if (isProse(token) || token.type === 'heading') {
      visitInline(tokensOf(token), look);
    } else {
      visit(tokensOf(token), look);
    }
  }
}

/** Links and pictures inside a line; the text of a line is no prose of its own. */
function visitInline(tokens: readonly Token[], look: (token: Token) => void): void {
  for (const token of tokens) {
    if (token.type === 'link' || token.type === 'image') look(token);
    visitInline(tokensOf(token), look);
  }
}

/** @param code what stands for a piece of code; its own text if omitted */
function plainText(tokens: readonly Token[], code?: string): string {
  return tokens
    .map((token) => {
      if (token.type === 'codespan') return code ?? token.text;
      if (token.type === 'html' || token.type === 'image') return '';
      const inner = tokensOf(token);
      // A link that shows a file begins a sentence as any other name does.
      if (code !== undefined && token.type === 'link' && /^[\w./-]+(\.md|\/)$/.test(token.text)) return code;
      if (inner.length > 0) return plainText(inner, code);
      return 'text' in token ? token.text : token.raw;
    })
    .join('');
}

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'sentence' });

function sentencesOf(text: string): string[] {
  const line = text.replace(/\s+/g, ' ').trim();
  return [...SEGMENTER.segment(line)].map(({ segment }) => segment.trim()).filter((segment) => segment !== '');
}

/** Words as a reader counts them: `64 KiB` is two, `X-Request-Id` and `don't` are one each. */
export function wordsOf(sentence: string): string[] {
  return sentence.match(/[\p{L}\p{N}][\p{L}\p{N}'’_./:%-]*/gu) ?? [];
}
