import { stripVTControlCharacters } from 'node:util';

/**
 * Breaks lines between words, so that a terminal does not break them within one. A continuation is indented 2 columns more than its line.
 * @param columns undefined: not a terminal, and nothing is broken
 */
export function wrapWords(text: string, columns: number | undefined): string {
  if (columns === undefined || columns < 20) return text;
  return text
    .split('\n')
    .flatMap((line) => wrapLine(line, columns))
    .join('\n');
}

function wrapLine(line: string, columns: number): string[] {
  const [indent = ''] = /^ */.exec(line) ?? [];
  const lines: string[] = [];
  let current = '';
  // Each piece is a word with the blanks before it.
  for (const piece of line.match(/ *[^ ]+/g) ?? []) {
    if (current !== '' && widthOf(current + piece) > columns) {
      lines.push(current);
      current = `${indent}  ${piece.trimStart()}`;
    } else current += piece;
  }
  return [...lines, current];
}

/** Colours take no room. */
function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}
