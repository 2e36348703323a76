/** One directive of an nginx configuration. */
export interface Directive {
  name: string;
  /** Without quotes and escapes. */
  args: string[];
  file: string;
  line: number;
  /** What stands between its braces. */
  block?: Directive[];
  /** Whether the braces hold a program (Lua), which is not read. */
  isProgram?: boolean;
  /** Of an `include`: what the files hold. */
  included?: Directive[];
}

/** The directives of a block, with those of included files in their places. */
export function flatten(block: readonly Directive[]): Directive[] {
  return block.flatMap((one) => (one.included === undefined ? [one] : flatten(one.included)));
}

/** Directives of one name. */
export function named(block: readonly Directive[], name: string): Directive[] {
  return block.filter((one) => one.name === name);
}

/** Every directive in the order of the text, includes and what they hold among them. */
export function everyDirective(block: readonly Directive[]): Directive[] {
  return block.flatMap((one) => [one, ...everyDirective(one.included ?? []), ...everyDirective(one.block ?? [])]);
}

const MAX_SHOWN = 100;
const LOGIN = /\b(basic|bearer)\s+\S+/gi;
const SECRET_NAME = /authorization|token|secret|passw|api[_-]?key|cookie/i;
/** Long runs of base64 letters that are no path. */
const SECRET_LIKE = /^(?=.*\d)(?=.*[A-Z])[A-Za-z0-9+/=_-]{24,}$/;

/** A directive for a report, on one line and without secrets. */
export function shownDirective({ name, args, block, isProgram }: Directive): string {
  const mayBeSecret = args.some((arg) => SECRET_NAME.test(arg)) || SECRET_NAME.test(name);
  const texts = args.map((arg, index) => (mayBeSecret && index > 0 && !arg.startsWith('/') ? hidden(arg) : safe(arg)));
  const end = block === undefined && !isProgram ? ';' : ' { … }';
  const text = [safe(name), ...texts]
    .join(' ')
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, '?');
  return `${text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text}${end}`;
}

/** Names of variables may be shown, and that a header is emptied. */
function hidden(arg: string): string {
  return arg === '' ? '""' : /^\$\w+$/.test(arg) ? arg : '***';
}

function safe(arg: string): string {
  if (arg === '') return '""';
  if (SECRET_LIKE.test(arg) && !arg.startsWith('/')) return '***';
  return arg.replace(LOGIN, '$1 ***').replace(/:\/\/[^/@\s]*@/g, '://***@');
}
