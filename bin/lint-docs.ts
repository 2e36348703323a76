import { rangeText } from '../src/clients/lint/program-version.ts';
import type { Rule } from '../src/clients/lint/rule.ts';
import { LINT_RULES } from '../src/clients/lint/rule-list.ts';

const START = '<!-- The table of rules: npm run docs writes it. -->';
const END = '<!-- End of the table of rules. -->';

/** The page with its table written anew. What stands around the table is written by hand. */
export function lintMarkdown(page: string): string {
  const [before, rest] = page.split(START);
  const [, after] = (rest ?? '').split(END);
  if (before === undefined || after === undefined) throw new Error(`the page needs the lines ${START} and ${END}`);
  return `${before}${START}\n\n${rulesTable()}\n${END}${after}`;
}

function rulesTable(): string {
  const head = ['| rule | effect | program, versions | key | what happens | source |', '|---|---|---|---|---|---|'];
  return `${[...head, ...LINT_RULES.map(row)].join('\n')}\n`;
}

function row({ name, effect, program, alsoIn = [], versions, key, happens, source }: Rule): string {
  const programs = [program, ...alsoIn].join(', ');
  const range = versions ? ` ${rangeText(versions)}` : '';
  const tried = source.tried === undefined ? '' : `; tried: ${source.tried}`;
  const cells = [
    `\`${name}\``,
    effect,
    `${programs}${range}`,
    cell(key),
    cell(happens),
    `[${cell(source.title)}](${source.url}), ${source.date}${cell(tried)}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Text for a cell: nothing in it is markup. */
function cell(text: string): string {
  return text.replace(/[|*_<>[\]`\\]/g, '\\$&');
}
