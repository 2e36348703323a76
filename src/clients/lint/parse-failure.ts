/** A file that cannot be parsed. The reason quotes nothing of the file, because that may be a password. */
export class ParseFailure extends Error {
  override readonly name = 'ParseFailure';
  readonly line: number;

  constructor(reason: string, line: number) {
    super(reason);
    this.line = line;
  }
}

/** What a parser said, without what it quotes and where it says it is. */
export function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'the values are nested too deeply';
  const message = error instanceof Error ? error.message : 'it cannot be parsed';
  const short = (message.slice(0, 500).split('\n')[0] ?? '')
    .replace(/\s*\(\d+:\d+\)\.?$/, '')
    .replace(/(["'`]).*\1/g, '…')
    .slice(0, 120)
    .replace(/[\s.]+$/, '');
  return short.charAt(0).toLowerCase() + short.slice(1);
}

/** More values than any real file has. A file with more is refused. */
export const MAX_VALUES = 200_000;
