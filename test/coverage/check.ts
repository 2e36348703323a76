import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Share, shareOfAll } from './summary.ts';

// After `COVERAGE=all npm test` and `COVERAGE=all npm run test:site`: `node test/coverage/check.ts [--record]` holds what they ran of
// src/ against the least that is recorded.
const RECORDED = join(import.meta.dirname, 'recorded.json');
/** Percent below what was measured that is recorded: which of several rare branches a run takes varies. */
const SLACK = 0.3;

const { values } = parseArgs({ options: { record: { type: 'boolean' } } });
const share = await shareOfAll();
if (values.record) {
  const least = (percent: number) => Math.floor((percent - SLACK) * 10) / 10;
  const recorded: Share = { lines: least(share.lines), branches: least(share.branches) };
  writeFileSync(RECORDED, `${JSON.stringify(recorded, null, 2)}\n`);
}
const least: Share = JSON.parse(readFileSync(RECORDED, 'utf8'));
for (const kind of ['lines', 'branches'] as const) {
  const fell = share[kind] < least[kind];
  console.log(`src: ${share[kind]} % of ${kind}, ${fell ? 'LESS THAN' : 'at least'} ${least[kind]} %`);
  if (fell) process.exitCode = 1;
}
