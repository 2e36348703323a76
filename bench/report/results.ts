import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawBars } from './bar-chart.ts';
import { type RecordedRun, type RecordedSection, type Records, withRun } from './records.ts';
import { asMarkdown, markdownTable, type Section } from './section.ts';
import type { Target } from './target.ts';

const FILE = 'RESULTS.md';
/** The text below this heading is written by hand, and stays when new numbers are recorded. */
const READING = '## What they show\n';

const RAW = 'results.json';

/** Facts about the run. */
export interface Run extends Omit<RecordedRun, 'began' | 'ended'> {
  began: Date;
  ended: Date;
  /** Folders of this machine, whose names must not appear in the results. */
  folders: readonly string[];
}

/**
 * Writes RESULTS.md, its charts, and every measurement as results.json. Sections that this run has not measured stay. @param folder
 * target folder
 */
export async function record(folder: string, sections: readonly Section[], run: Run): Promise<void> {
  for (const { chart } of sections) if (chart) await writeFile(join(folder, `${chart.name}.svg`), drawBars(chart));
  const { folders, began, ended, ...told } = run;
  const withoutFolders = (text: string) => folders.reduce((rest, one) => rest.replaceAll(one, '…'), text);
  const kept = { ...told, began: began.toISOString(), ended: ended.toISOString() };
  const records = withRun(await recorded(folder), sections, kept);
  await writeFile(join(folder, RAW), withoutFolders(`${JSON.stringify(records, asNumbers, 1)}\n`));
  const parts = [
    '# Results of the benchmark\n',
    ...records.runs.map((one, index) =>
      aboutRun(
        one,
        records.sections.filter((section) => section.run === index),
      ),
    ),
    CONDITIONS,
    ...targetTable(records.sections.flatMap(({ targets }) => targets)),
    ...records.sections.map(asMarkdown),
    `${READING}${await reading(folder)}`,
  ];
  await writeFile(join(folder, FILE), withoutFolders(parts.join('\n')));
}

function aboutRun(
  { args, began, ended, loads, machine, failures }: RecordedRun,
  sections: readonly RecordedSection[],
): string {
  const command = ['npm run bench --', ...args].join(' ');
  const minutes = Math.round((Date.parse(ended) - Date.parse(began)) / 60_000);
  const lines = [
    ...machine,
    `load average ${loads.began.toFixed(1)} before and ${loads.ended.toFixed(1)} at the end of what the benchmark itself loads it with`,
    ...failures.map((failure) => `**${failure}**`),
  ];
  const titles = sections.map(({ title }) => title).join(', ') || 'nothing';
  return `Recorded on ${began.slice(0, 10)} by \`${command}\` within ${minutes} minutes: ${titles}.\n\n${lines.map((line) => `- ${line}`).join('\n')}\n`;
}

const CONDITIONS = `Everything runs on the loopback interface of one machine: load generator, proxy and upstream share its cores. Every round measures every proxy, in turns, and the tables show medians. CPU seconds and the ratios to nginx within a run say more than MB/s.

All proxies use the same certificate with TLS 1.3:
- nginx is one process with 16 x 64 KiB buffers, without temporary files and access log, and with kept upstream connections.
- HAProxy has one thread and buffers of 64 KiB.
- Caddy uses as many threads as it likes.
- The edge is the published, compiled package with its defaults. Unless a section says otherwise, it logs one line for each request.

Rows without a proxy are the upstream alone over plain HTTP. Every number is in [results.json](results.json).
`;

function targetTable(targets: readonly Target[]): string[] {
  const columns = ['what', 'must reach', 'reached', 'nginx', 'met'];
  const rows = targets.map(({ what, bound, reached, nginx, met }) => [
    what,
    bound,
    reached,
    nginx,
    met ? 'yes' : '**no**',
  ]);
  const met = targets.filter((target) => target.met).length;
  return [`## Targets\n\n${met} of ${targets.length} are met.\n\n${markdownTable(columns, rows).join('\n')}\n`];
}

/** JSON has neither NaN nor Infinity, and null would not tell them apart. */
function asNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

async function recorded(folder: string): Promise<Records> {
  const text = await textOf(folder, RAW);
  return text === undefined ? { runs: [], sections: [] } : (JSON.parse(text) as Records);
}

async function reading(folder: string): Promise<string> {
  const [, kept] = (await textOf(folder, FILE))?.split(READING) ?? [];
  return kept ?? '\nNothing has been written about these numbers yet.\n';
}

async function textOf(folder: string, file: string): Promise<string | undefined> {
  return readFile(join(folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
