import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cleanup } from '../helpers/cleanup.ts';
import { root } from '../helpers/markdown.ts';
import { measuredText, withMeasured } from './measured.ts';
import { PAGE } from './page-commands.ts';
import { followQuickstart, obstacle } from './quickstart.ts';

const USAGE = `Follows ${PAGE} on a clean machine in namespaces of its own, with real clients. Needs root.

  npm run quickstart              prints what each command said
  npm run quickstart -- --record  and writes into the page what it took
`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { record: { type: 'boolean' }, help: { type: 'boolean' } } });
  if (values.help) return void process.stdout.write(USAGE);
  const reason = await obstacle();
  if (reason) throw new Error(reason);
  const cleanup = new Cleanup();
  const { followed, pulled, expected } = await followQuickstart(cleanup).finally(() => cleanup.run());
  for (const { command, status, took, output } of followed)
    process.stdout.write(`$ ${command}\n${output.trimEnd()}\n# exit status ${status}, ${Math.round(took)} ms\n\n`);
  if (followed.some(({ status }) => status !== 0) || Object.values(pulled).some((digest) => digest !== expected))
    throw new Error(`the page does not lead to three pulls: ${JSON.stringify(pulled)}`);
  const file = join(root, PAGE);
  const text = measuredText(followed, new Date().toISOString().slice(0, 10));
  if (values.record) writeFileSync(file, withMeasured(readFileSync(file, 'utf8'), text));
  process.stdout.write(`${text}\n`);
}

await main();
