/** A mistake in an nginx configuration, with its place, what was expected, and what to do. */
export class NginxSyntaxError extends Error {
  override readonly name = 'NginxSyntaxError';
  readonly file: string;
  readonly line: number;

  constructor(file: string, line: number, found: string, remedy: string) {
    super(`${file}:${line}: ${found}. ${remedy}`);
    this.file = file;
    this.line = line;
  }
}
