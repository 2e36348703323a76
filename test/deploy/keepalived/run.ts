import { parseArgs } from 'node:util';
import { Cleanup } from '../../helpers/cleanup.ts';
import type { Row } from './event.ts';
import { EVENTS } from './events/all.ts';
import { page } from './page.ts';
import { obstacle, runEvents } from './pair-run.ts';

const USAGE = `Runs a pair of edges under keepalived in network namespaces, with clients that pull and push all the while, and prints what each
event does to them. Needs root.

  npm run pair                         all events
  npm run pair -- --event edge-killed  one of them
  npm run pair -- --record             all, and writes the table of docs/deploy-pair.md
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      event: { type: 'string', multiple: true },
      record: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  if (values.record && values.event) throw new Error('only a whole run is recorded');
  const keys = values.event ?? EVENTS.map(({ key }) => key);
  const unknown = keys.filter((key) => !EVENTS.some((event) => event.key === key));
  if (unknown.length > 0)
    throw new Error(`no such event: ${unknown.join(', ')}; there are ${EVENTS.map(({ key }) => key).join(', ')}`);
  const reason = await obstacle();
  if (reason) throw new Error(reason);
  const rows: Row[] = [];
  const cleanup = new Cleanup();
  try {
    for (const group of new Set(EVENTS.map(({ group }) => group))) {
      const chosen = EVENTS.filter((event) => event.group === group && keys.includes(event.key)).map(({ key }) => key);
      if (chosen.length === 0) continue;
      const made = await runEvents(cleanup, chosen);
      rows.push(...made.rows);
      for (const row of made.rows) tell(row);
      if (made.rows.some(({ checks }) => checks.some(({ ok }) => !ok))) process.stdout.write(`${made.output}\n`);
    }
  } finally {
    await cleanup.run();
  }
  if (rows.some(({ checks }) => checks.some(({ ok }) => !ok))) process.exitCode = 1;
  else if (values.record) page.write(rows, new Date().toISOString().slice(0, 10));
}

function tell({ event, measured, checks }: Row): void {
  if (event) process.stdout.write(`${event}: ${measured}\n`);
  for (const { what, ok } of checks) if (!ok) process.stdout.write(`  FAILS: ${what}\n`);
}

await main();
