/**
 * Where a block of Lua ends. Braces in strings and comments do not count.
 * @param start right after the opening brace
 * @returns the place right after its closing brace, or undefined if there is none
 */
export function endOfLua(text: string, start: number): number | undefined {
  let depth = 1;
  let at = start;
  while (at < text.length) {
    const char = text[at];
    const next = skipped(text, at);
    if (next > at) {
      at = next;
      continue;
    }
    if (char === '{') depth++;
    if (char === '}' && --depth === 0) return at + 1;
    at++;
  }
  return undefined;
}

/** The end of the string or comment that begins at a place; the place itself if none does. */
function skipped(text: string, at: number): number {
  const char = text[at];
  if (char === '"' || char === "'") return endOfString(text, at, char);
  const isComment = text.startsWith('--', at);
  const long = longBracket(text, isComment ? at + 2 : at);
  if (long !== undefined) return long;
  if (!isComment) return at;
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function endOfString(text: string, start: number, quote: string): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote || text[at] === '\n') return at + 1;
  }
  return text.length;
}

/** The end of `[[ … ]]` or `[==[ … ]==]`. */
function longBracket(text: string, at: number): number | undefined {
  if (text[at] !== '[') return undefined;
  let level = at + 1;
  while (text[level] === '=') level++;
  if (text[level] !== '[') return undefined;
  const close = `]${'='.repeat(level - at - 1)}]`;
  const end = text.indexOf(close, level);
  return end < 0 ? text.length : end + close.length;
}
