import { type Directive, flatten, shownDirective } from '../syntax/directive.ts';
import type { Imported } from './import-site.ts';
import type { Note, Verdict } from './notes.ts';
import { tableRow } from './verdict-table.ts';

/** One directive of the report. */
export interface ReportLine {
  file: string;
  line: number;
  /** Without secrets. */
  directive: string;
  verdict: Verdict;
  text: string;
  /** A key of docs/configuration.md. */
  see?: string;
  isImportant: boolean;
}

/** Blocks whose lines are data. */
const TABLES: Record<string, string> = {
  map: 'An entry of the map.',
  geo: 'An entry of the networks.',
  split_clients: 'A share of the clients.',
  types: 'A media type of files.',
};
/** What only counts where a request meets it. */
const FOLLOWED = new Set([
  'location',
  'if',
  'rewrite',
  'set',
  'return',
  'map',
  'geo',
  'split_clients',
  'proxy_pass',
  'limit_except',
  'upstream',
]);

/** Where a directive stands. */
interface Scope {
  parent: Directive | undefined;
  /** Inside a server that does not serve the registry, or in a block that no request of the registry meets. */
  isApart: boolean;
}

/** A line for each directive, in the order of the files. */
export function reportLines(roots: readonly Directive[], imported: Imported): ReportLine[] {
  const lines: ReportLine[] = [];
  const walk = (block: readonly Directive[], scope: Scope): void => {
    for (const directive of block) {
      const note = noteOf(directive, scope, imported);
      const see = note.verdict === 'apart' || imported.notes.of(directive) ? undefined : tableRow(directive.name).see;
      lines.push({
        file: directive.file,
        line: directive.line,
        directive: shownDirective(directive),
        ...note,
        ...(see === undefined || TABLES[scope.parent?.name ?? ''] !== undefined ? {} : { see }),
      });
      walk(directive.included ?? [], scope);
      walk(directive.block ?? [], { parent: directive, isApart: scope.isApart || isApart(directive, imported) });
    }
  };
  walk(roots, { parent: undefined, isApart: false });
  return lines;
}

function noteOf(directive: Directive, { parent, isApart }: Scope, imported: Imported): Note {
  const said = imported.notes.of(directive);
  if (said) return said;
  const { name } = directive;
  if (name === 'include' && directive.included === undefined)
    return {
      verdict: 'cannot',
      text: 'The file is not there, so that what it says is not known.',
      isImportant: !isApart,
    };
  const isTable = parent !== undefined && TABLES[parent.name] !== undefined;
  if (isTable)
    return {
      verdict: isUsed(parent, imported) ? 'taken' : 'apart',
      text: TABLES[parent.name] ?? '',
      isImportant: false,
    };
  if (parent?.name === 'upstream' && name === 'server') return serverNote(directive, parent, imported);
  if (parent?.name === 'limit_except' && ['allow', 'deny'].includes(name) && isUsed(parent, imported))
    return { verdict: 'taken', text: 'Routes without push are read-only.', isImportant: false };
  if (name === 'error_page' && isUsed(directive, imported))
    return { verdict: 'taken', text: 'It is the order of pull, or where pushes go.', isImportant: false };
  if (name === 'if' && isUsed(directive, imported))
    return { verdict: 'taken', text: 'Its condition was followed.', isImportant: false };
  if (name === 'if' && directive.args.some((arg) => arg.includes('$http_user_agent')))
    return {
      verdict: 'better',
      text: 'Breakwater only speaks the API of Docker 1.6 and later. Older clients get 404.',
      isImportant: false,
    };
  if (isApart || isApartItself(directive, imported))
    return { verdict: 'apart', text: 'No request of the registry API meets it.', isImportant: false };
  const { verdict, text, isImportant } = tableRow(name);
  return { verdict, text, isImportant: isImportant === true && imported.config !== undefined };
}

function serverNote({ args }: Directive, group: Directive, imported: Imported): Note {
  if (!isUsed(group, imported))
    return { verdict: 'apart', text: 'No request of the registry API meets it.', isImportant: false };
  if (args.includes('down')) return { verdict: 'apart', text: 'It is marked down.', isImportant: false };
  if (args.includes('backup'))
    return {
      verdict: 'taken',
      text: 'It is asked on pulls when those before it fail. A push never goes there.',
      isImportant: false,
    };
  const extra = args.some((arg) => /^(max_fails|fail_timeout|weight|max_conns|slow_start)=/.test(arg))
    ? ' Health, breaker and limits of it are Breakwater’s own.'
    : '';
  return { verdict: 'taken', text: `It is one of the urls.${extra}`, isImportant: false };
}

function isUsed(directive: Directive, { used }: Imported): boolean {
  return used.has(directive);
}

/** Blocks that no request of the registry API meets. */
function isApart(directive: Directive, imported: Imported): boolean {
  if (directive.name === 'mail') return true;
  return directive.block !== undefined && isApartItself(directive, imported);
}

function isApartItself(directive: Directive, imported: Imported): boolean {
  const { name, block } = directive;
  if (name === 'server' && block !== undefined)
    return !imported.servers.has(directive) && !imported.used.has(directive) && !isStream(directive);
  if (name === 'if') return false;
  return FOLLOWED.has(name) && !imported.used.has(directive);
}

/** A server that passes TCP on; the stand-in of it is what requests meet. */
function isStream({ block = [] }: Directive): boolean {
  return flatten(block).some(({ name, args }) => name === 'proxy_pass' && !/^https?:/.test(args[0] ?? ''));
}
