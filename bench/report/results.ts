import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawBars } from './bar-chart.ts';
import { asMarkdown, markdownTable, type Section } from './section.ts';
import type { Target } from './target.ts';

const FILE = 'RESULTS.md';
/** What people make of the numbers stands below this line, and stays when new ones are recorded. */
const READING = '## What they show\n';

/** How the numbers came about. */
export interface Run {
  /** Arguments of the command. */
  args: readonly string[];
  began: Date;
  ended: Date;
  /** Of the last minute, before and after. */
  loads: { began: number; ended: number };
  /** What it ran on, one line each. */
  machine: readonly string[];
  /** Parts that could not be measured at all, and why. */
  failures: readonly string[];
  /** Folders of this machine, whose names are nobody's business. */
  folders: readonly string[];
}

/** Writes RESULTS.md, its drawings, and every single number as results.json. @param folder where to */
export async function record(folder: string, sections: readonly Section[], run: Run): Promise<void> {
  for (const { chart } of sections) if (chart) await writeFile(join(folder, `${chart.name}.svg`), drawBars(chart));
  const { folders, ...told } = run;
  const withoutFolders = (text: string) => folders.reduce((rest, one) => rest.replaceAll(one, '…'), text);
  const raw = sections.map(({ title, data, targets, problems }) => ({ title, data, targets, problems }));
  const json = JSON.stringify({ ...told, sections: raw }, asNumbers, 1);
  await writeFile(join(folder, 'results.json'), withoutFolders(`${json}\n`));
  const parts = [
    '# Results of the benchmark\n',
    `Recorded on ${run.began.toISOString().slice(0, 10)} by \`${['npm run bench --', ...run.args].join(' ')}\`:\n`,
    `${run.machine.map((line) => `- ${line}`).join('\n')}\n`,
    conditions(run),
    ...(run.failures.length > 0 ? [`${run.failures.map((failure) => `- **${failure}**`).join('\n')}\n`] : []),
    ...targetTable(sections.flatMap(({ targets }) => targets)),
    ...sections.map(asMarkdown),
    `${READING}${await reading(folder)}`,
  ];
  await writeFile(join(folder, FILE), withoutFolders(parts.join('\n')));
}

function conditions({ loads, began, ended }: Run): string {
  const minutes = Math.round((ended.getTime() - began.getTime()) / 60_000);
  return `Everything runs on loopback of one machine, within ${minutes} minutes: load generator, proxy and upstream share its cores. Its load average was ${loads.began.toFixed(1)} before and ${loads.ended.toFixed(1)} at the end of what the benchmark itself loads it with. Rounds are interleaved, every proxy in each, and medians are shown; CPU seconds and the ratios to nginx within this run say more than MB/s. All stand on the same certificate with TLS 1.3. nginx is one process with 16 x 64 KiB buffers, no temporary file, kept upstream connections and no access log; HAProxy has one thread and buffers of 64 KiB; Caddy has as many threads as it likes; the edge is what is published, compiled, with its defaults, which include a line of log for each request where nothing else is said. The rows without a proxy are the upstream alone over plain HTTP. Every number is in [results.json](results.json).\n`;
}

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

/** JSON has neither; null would not tell them apart. */
function asNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

async function reading(folder: string): Promise<string> {
  const text = await readFile(join(folder, FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const [, kept] = text.split(READING);
  return kept ?? '\nNothing has been written about these numbers yet.\n';
}
