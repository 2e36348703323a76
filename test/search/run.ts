import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { neighbours } from './neighbours.ts';
import { pair } from './pair.ts';
import { type Find, type Search, searchBatch } from './search.ts';

const SEARCHES: Record<string, Search<unknown>> = {
  neighbours: neighbours as Search<unknown>,
  pair: pair as Search<unknown>,
};

const USAGE = `Searches for schedules that break a rule, at random.

  npm run search -- --what neighbours --runs 100000 --seed 7
  npm run search -- --what neighbours --runs 100000 --seed 7 --fresh     begins again, instead of going on

searches:
${Object.entries(SEARCHES)
  .map(([name, { says }]) => `  ${name.padEnd(14)}${says}`)
  .join('\n')}

How far a search has come is kept in .search/, by search and seed. An interrupted one goes on there. The exit status is
1 if a schedule breaks the rule; it is printed as JSON, without the steps that it does not need. "not each time" is before a
schedule that broke the rule at first, and not when it was run again; it does not count.
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
/** Schedules between two lines of progress. */
const TOLD_EVERY = 500;

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
  const started = Date.now();
  const progress = values.fresh ? { done: 0, bad: 0 } : readProgress(file);
  const from = progress.done;
  while (progress.done < runs) {
    // Each batch has a seed of its own, so that a search can go on where it was.
    const numRuns = Math.min(chosen.batch, runs - progress.done);
    const schedules = fc.sample(chosen.schedules, { seed: seed * 1_000_003 + progress.done, numRuns });
    const onUnsteady = ({ schedule, wrong }: Find<unknown>) =>
      process.stdout.write(`not each time: ${wrong}\n${JSON.stringify(schedule)}\n`);
    for (const { schedule, wrong } of await searchBatch(chosen, schedules, onUnsteady)) {
      progress.bad += 1;
      process.stdout.write(`${wrong}\n${JSON.stringify(schedule)}\n`);
    }
    progress.done += numRuns;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(progress));
    if (progress.done % TOLD_EVERY < numRuns || progress.done === runs) tell(progress, started, progress.done - from);
  }
  process.exitCode = progress.bad > 0 ? 1 : 0;
}

/** How far a search has come. */
interface Progress {
  done: number;
  bad: number;
}

function readProgress(file: string): Progress {
  try {
    return { bad: 0, ...JSON.parse(readFileSync(file, 'utf8')) };
  } catch {
    return { done: 0, bad: 0 };
  }
}

function tell({ done, bad }: Progress, started: number, here: number): void {
  const ms = (Date.now() - started) / here;
  process.stdout.write(`${done} of ${runs} schedules, ${bad} break the rule, ${ms.toFixed(1)} ms each\n`);
}
