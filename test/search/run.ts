import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { neighbours } from './neighbours.ts';
import { type Search, searchBatch } from './search.ts';

const SEARCHES: Record<string, Search<unknown>> = { neighbours: neighbours as Search<unknown> };

const USAGE = `Searches for schedules that break a rule, at random.

  npm run search -- --what neighbours --runs 100000 --seed 7
  npm run search -- --what neighbours --runs 100000 --seed 7 --fresh     begins again, instead of going on

searches:
${Object.entries(SEARCHES)
  .map(([name, { says }]) => `  ${name.padEnd(14)}${says}`)
  .join('\n')}

How far a search has come is kept in .search/, by search and seed. An interrupted one goes on there. The exit status is
1 if a schedule breaks the rule; it is printed as JSON.
`;

const { values } = parseArgs({
  options: {
    what: { type: 'string', default: '' },
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    fresh: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const [runs, seed] = [Number(values.runs), Number(values.seed)];
const search = SEARCHES[values.what];
if (values.help) process.stdout.write(USAGE);
else if (search && Number.isInteger(runs) && runs > 0 && Number.isInteger(seed)) await main(search);
else {
  process.stderr.write(USAGE);
  process.exitCode = 2;
}

async function main(chosen: Search<unknown>): Promise<void> {
  const file = `.search/${values.what}-${seed}.json`;
  const started = performance.now();
  const from = values.fresh ? 0 : doneBefore(file);
  let bad = 0;
  for (let done = from; done < runs; ) {
    // Each batch has a seed of its own, so that a search can go on where it was.
    const numRuns = Math.min(chosen.batch, runs - done);
    const schedules = fc.sample(chosen.schedules, { seed: seed * 1_000_003 + done, numRuns });
    const found = await searchBatch(chosen, schedules);
    for (const { schedule, wrong } of found) process.stdout.write(`${wrong}\n${JSON.stringify(schedule)}\n`);
    bad += found.length;
    done += numRuns;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ done }));
    if (done % (100 * chosen.batch) === 0 || done === runs) tell(done, bad, started, done - from);
  }
  process.exitCode = bad > 0 ? 1 : 0;
}

function doneBefore(file: string): number {
  try {
    return Number(JSON.parse(readFileSync(file, 'utf8')).done);
  } catch {
    return 0;
  }
}

function tell(done: number, bad: number, started: number, here: number): void {
  const ms = (performance.now() - started) / here;
  process.stdout.write(`${done} of ${runs} schedules, ${bad} break the rule, ${ms.toFixed(1)} ms each\n`);
}
