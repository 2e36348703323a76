import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Operation, Row } from './outages-run.ts';
import { STATES } from './states.ts';
import type { Met } from './words.ts';

const DOCS = join(import.meta.dirname, '../../docs/outages.md');
const BEGIN = '<!-- what clients meet: npm run outages -- --record -->\n';
const END = '<!-- end of what clients meet -->\n';

/** docs/outages.md: what stands between its markers is written by a run. */
export const page = {
  of: (rows: readonly Row[]): string => sectionsOf(rows),

  read: (): string => parts().shown,

  write(rows: readonly Row[]): void {
    const { before, after } = parts();
    writeFileSync(DOCS, `${before}${sectionsOf(rows)}${after}`);
  },
};

/** Times are other ones on each run; everything else should not be. */
export function withoutTimes(text: string): string {
  return text.replace(/\b\d+(\.\d)? s\b/g, 'N s');
}

function parts(): { before: string; shown: string; after: string } {
  const text = readFileSync(DOCS, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${DOCS} has no place for what a run writes`);
  const start = from + BEGIN.length;
  return { before: text.slice(0, start), shown: text.slice(start, to), after: text.slice(to) };
}

function sectionsOf(rows: readonly Row[]): string {
  return STATES.map(({ key, title, says }) => {
    const here = rows.filter(({ state }) => state === key);
    const table = [
      '| client | pull | pull of what only the primary has | push |',
      '|---|---|---|---|',
      ...here.map(({ client, met }) => `| ${[client, cell(met.pull), cell(met.new), cell(met.push)].join(' | ')} |`),
    ];
    return `\n## ${title}\n\n${says}\n\n${table.join('\n')}\n${wordsOf(here)}`;
  }).join('');
}

function cell(met: Met | undefined): string {
  if (!met) return 'cannot';
  const time = seconds(met.took);
  if (met.ok) return time;
  return met.told ? `fails in ${time}, says why` : `fails in ${time}, **does not say why**`;
}

function seconds(ms: number): string {
  return ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

const HEADINGS: Record<Operation, string> = {
  pull: 'A pull says:',
  new: 'A pull of what only the primary has says:',
  push: 'A push says:',
};

/** What the clients print, word by word. */
function wordsOf(rows: readonly Row[]): string {
  const blocks = (Object.keys(HEADINGS) as Operation[]).flatMap((operation) => {
    const lines = rows.flatMap(({ client, met }) =>
      met[operation]?.words ? [`${client}: ${met[operation].words}`] : [],
    );
    return lines.length > 0 ? [`\n${HEADINGS[operation]}\n\`\`\`text\n${lines.join('\n')}\n\`\`\`\n`] : [];
  });
  return blocks.join('');
}
