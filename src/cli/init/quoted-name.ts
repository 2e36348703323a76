import { stringify } from 'yaml';

/** One word of a command line for a POSIX shell. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A text as a scalar of YAML on one line, in block context. */
export function yamlScalar(text: string): string {
  return stringify(text, { lineWidth: 0, blockQuote: false }).trimEnd();
}

/** A text as a scalar of a Compose file, where `$` begins a variable, and where YAML 1.1 takes a plain `yes` for a boolean. */
export function composeScalar(text: string): string {
  return stringify(
    text.replaceAll('$', () => '$$'),
    { lineWidth: 0, blockQuote: false, defaultStringType: 'QUOTE_DOUBLE' },
  ).trimEnd();
}
