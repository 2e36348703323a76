/** An error or a warning about a configuration. */
export interface Finding {
  file: string;
  /** Line and column, from 1; 0 where the configuration is not from a file. */
  line: number;
  column: number;
  /** Path of the key: `routes[0].pull[1].upstream`. Empty for the whole document. */
  key: string;
  /** What was found and what is expected. Never a secret. */
  message: string;
  /** What to do next. */
  remedy?: string;
}

/** A configuration that cannot be used, with all its errors from top to bottom. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly findings: readonly Finding[];

  constructor(findings: readonly Finding[]) {
    const sorted = findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
    super(`the configuration cannot be used:\n${sorted.map(findingText).join('\n')}`);
    this.findings = sorted;
  }
}

/** `breakwater.yaml:12:5: routes[0].push: no upstream is called "harbour"`. */
export function findingText({ file, line, column, key, message, remedy }: Finding): string {
  const place = line > 0 ? `${file}:${line}:${column}: ` : file === '' ? '' : `${file}: `;
  return `${place}${key === '' ? '' : `${key}: `}${message}${remedy === undefined ? '' : `; ${remedy}`}`;
}
