import { readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { describeMachine } from './machine.ts';
import { asMarkdown, type Section } from './section.ts';

const FILE = join(import.meta.dirname, '../RESULTS.md');
/** What people make of the numbers stands below this line, and stays when new ones are recorded. */
const READING = '## What they show\n';

/** Writes bench/RESULTS.md. @param args those of the run */
export async function record(sections: readonly Section[], args: readonly string[]): Promise<void> {
  const [load = 0] = loadavg();
  const parts = [
    '# Results of the benchmark\n',
    `Recorded on ${new Date().toISOString().slice(0, 10)} by \`${['npm run bench --', ...args].join(' ')}\`:\n`,
    `${(await describeMachine()).map((line) => `- ${line}`).join('\n')}\n`,
    `Everything runs on loopback of one machine: load generator, proxy and upstream share its cores, and other work ran beside (load average at the end: ${load.toFixed(1)}). Rounds are interleaved, every proxy in each, and medians are shown; CPU seconds and the ratios to nginx within this run say more than MB/s. nginx is one process with TLS 1.3, 16 x 64 KiB buffers, no temporary file, kept upstream connections and no access log, on the same certificate; the edge is \`bin/breakwater serve\` with its defaults. The rows without a proxy are the upstream alone over plain HTTP.\n`,
    ...sections.map(asMarkdown),
    `${READING}${await reading()}`,
  ];
  await writeFile(FILE, parts.join('\n'));
}

async function reading(): Promise<string> {
  const text = await readFile(FILE, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const [, kept] = text.split(READING);
  return kept ?? '\nNothing has been written about these numbers yet.\n';
}
