/** A text of the configuration that nginx would misread. */
export class UnwritableError extends Error {
  override readonly name = 'UnwritableError';
}

/** A word of an nginx configuration. @throws UnwritableError, since nginx has no way to write a dollar or a line break that stands for itself */
export function nginxWord(text: string): string {
  if (/[$\u0000-\u001f\u007f]/.test(text))
    throw new UnwritableError(
      `${JSON.stringify(text)} has a dollar sign or a control character, which nginx cannot take; rename it`,
    );
  return /^[\w./:@*[\]-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A text as part of a regular expression of nginx. */
export function nginxPattern(text: string): string {
  nginxWord(text);
  return text.replace(/[.*+?^(){}|[\]\\/-]/g, (char) => (char === '/' || char === '-' ? char : `\\${char}`));
}

/** Whole seconds or milliseconds. */
export function nginxTime(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** Lines of a block, two more spaces inside. */
export function block(head: string, lines: readonly string[]): string[] {
  return [`${head} {`, ...lines.map((line) => (line === '' ? '' : `    ${line}`)), '}'];
}
