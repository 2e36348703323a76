import { writeFileSync } from 'node:fs';
import { Cleanup } from '../../helpers/cleanup.ts';
import type { Row } from './event.ts';
import { CONFIGS, EVENTS } from './events/all.ts';
import { startPair } from './pair.ts';

/** Runs events on one pair, in namespaces that are new: `inside.ts FOLDER RESULT KEY…`. The result is a list of rows. */
async function main([folder = '', result = '', ...keys]: readonly string[]): Promise<void> {
  const cleanup = new Cleanup();
  const rows: Row[] = [];
  try {
    const events = EVENTS.filter(({ key }) => keys.includes(key));
    const pair = await startPair(cleanup, { folder, config: CONFIGS[events[0]?.group ?? ''] ?? {} });
    for (const event of events) {
      const made = await event.run(pair).catch((error: unknown) => {
        throw new Error(`${event.key}: ${error instanceof Error ? error.stack : error}\n${pair.story()}`);
      });
      rows.push(...made);
      for (const { checks } of made)
        if (checks.some(({ ok }) => !ok)) process.stdout.write(`${event.key}\n${pair.story()}\n`);
      writeFileSync(result, JSON.stringify(rows));
    }
  } finally {
    await cleanup.run();
  }
}

await main(process.argv.slice(2));
