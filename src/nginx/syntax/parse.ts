import type { Directive } from './directive.ts';
import { Lexer, type Token } from './lexer.ts';
import { NginxSyntaxError } from './syntax-error.ts';

/** Deeper than any configuration that a person wrote. */
const MAX_DEPTH = 32;

/** Parses one file. Included files are named by `include` directives, and not read. @throws NginxSyntaxError */
export function parseNginx(file: string, text: string): Directive[] {
  const lexer = new Lexer(file, text);
  const root: Directive[] = [];
  const open: { directive?: Directive; block: Directive[] }[] = [{ block: root }];
  let words: Token[] = [];
  for (let token = lexer.next(); token !== undefined; token = lexer.next()) {
    const block = open.at(-1)?.block ?? root;
    if (token.kind === 'word') words.push(token);
    else if (token.kind === 'close') {
      if (words.length > 0) throw unfinished(file, words);
      if (open.length === 1)
        throw new NginxSyntaxError(
          file,
          token.line,
          'found "}" where no block is open',
          'Remove it, or check the braces before it.',
        );
      open.pop();
    } else {
      const directive = directiveOf(file, words, token);
      words = [];
      block.push(directive);
      if (token.kind === 'end') continue;
      if (isProgramBlock(directive.name)) {
        directive.isProgram = true;
        lexer.skipProgram();
        continue;
      }
      if (open.length > MAX_DEPTH)
        throw new NginxSyntaxError(
          file,
          token.line,
          `more than ${MAX_DEPTH} blocks are open`,
          'Check the braces before this line.',
        );
      directive.block = [];
      open.push({ directive, block: directive.block });
    }
  }
  if (words.length > 0) throw unfinished(file, words);
  const unclosed = open.length > 1 ? open.at(-1)?.directive : undefined;
  if (unclosed)
    throw new NginxSyntaxError(
      file,
      unclosed.line,
      `the block of ${JSON.stringify(cut(unclosed.name))} does not end; expected "}" before the end of the file`,
      'Close the block.',
    );
  return root;
}

/** Blocks of OpenResty, and of njs in its newer forms. */
function isProgramBlock(name: string): boolean {
  return name.endsWith('_by_lua_block');
}

function directiveOf(file: string, words: readonly Token[], end: Token): Directive {
  const [name, ...args] = words;
  if (name === undefined)
    throw new NginxSyntaxError(
      file,
      end.line,
      `found "${end.text}" where a directive should begin`,
      'Write the name of a directive before it, or remove it.',
    );
  return { name: name.text, args: args.map(({ text }) => text), file, line: name.line };
}

function unfinished(file: string, words: readonly Token[]): NginxSyntaxError {
  const [first] = words;
  return new NginxSyntaxError(
    file,
    first?.line ?? 1,
    `the directive ${JSON.stringify(cut(first?.text ?? ''))} does not end; expected ";" or "{"`,
    'Put a semicolon at its end.',
  );
}

function cut(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}
