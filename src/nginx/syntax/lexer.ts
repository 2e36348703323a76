import { endOfLua } from './lua-block.ts';
import { NginxSyntaxError } from './syntax-error.ts';

export interface Token {
  kind: 'word' | 'end' | 'open' | 'close';
  text: string;
  line: number;
}

const SPACE = new Set([' ', '\t', '\r', '\n']);
const ESCAPES: Record<string, string> = { t: '\t', r: '\r', n: '\n', '"': '"', "'": "'", '\\': '\\' };

/**
 * The tokens of an nginx configuration, by the rules of nginx: `#` begins a comment only where a word could begin, a brace after `$` is part of
 * a variable, and a quote only begins a text where a word could begin.
 */
export class Lexer {
  readonly #file: string;
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text.startsWith('\uFEFF') ? text.slice(1) : text;
  }

  get line(): number {
    return this.#line;
  }

  /** @returns undefined at the end @throws NginxSyntaxError */
  next(): Token | undefined {
    this.#skip();
    const char = this.#text[this.#at];
    const line = this.#line;
    if (char === undefined) return undefined;
    if (char === ';' || char === '{' || char === '}') {
      this.#at++;
      return { kind: char === ';' ? 'end' : char === '{' ? 'open' : 'close', text: char, line };
    }
    if (char === '"' || char === "'") return { kind: 'word', text: this.#quoted(char), line };
    return { kind: 'word', text: this.#word(), line };
  }

  /** Passes over the program of a `…_by_lua_block`, whose brace has been read. @throws NginxSyntaxError */
  skipProgram(): void {
    const end = endOfLua(this.#text, this.#at);
    if (end === undefined)
      throw new NginxSyntaxError(
        this.#file,
        this.#line,
        'the Lua block that begins here does not end; expected its closing brace',
        'Check the file with nginx -t.',
      );
    for (; this.#at < end; this.#at++) if (this.#text[this.#at] === '\n') this.#line++;
  }

  #skip(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] ?? '';
      if (char === '\n') this.#line++;
      if (SPACE.has(char)) continue;
      if (char !== '#') return;
      const end = this.#text.indexOf('\n', this.#at);
      if (end < 0) this.#at = this.#text.length;
      else {
        this.#at = end;
        this.#line++;
      }
    }
  }

  #quoted(quote: string): string {
    const start = this.#line;
    let result = '';
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] ?? '';
      if (char === '\n') this.#line++;
      if (char === '\\') result += this.#escaped();
      else if (char !== quote) result += char;
      else {
        this.#at++;
        const after = this.#text[this.#at];
        if (after === undefined || SPACE.has(after) || [';', '{', ')'].includes(after)) return result;
        throw new NginxSyntaxError(
          this.#file,
          this.#line,
          `found ${JSON.stringify(after)} right after a quoted text; expected a space, ";" or "{"`,
          'Put a space there, or quote the whole word.',
        );
      }
    }
    const remedy = `Close it with ${quote}.`;
    throw new NginxSyntaxError(this.#file, start, 'the quoted text that begins here does not end', remedy);
  }

  #word(): string {
    let result = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at] ?? '';
      if (SPACE.has(char) || char === ';') break;
      if (char === '{' && this.#text[this.#at - 1] !== '$') break;
      if (char === '\\') result += this.#escaped();
      else result += char;
    }
    return result;
  }

  /** At a backslash: nginx takes it away before a few letters, and leaves it in place before others. */
  #escaped(): string {
    const next = this.#text[this.#at + 1];
    if (next === undefined) return '\\';
    this.#at++;
    if (next === '\n') this.#line++;
    return ESCAPES[next] ?? `\\${next}`;
  }
}
