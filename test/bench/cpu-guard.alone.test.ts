import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { type Costs, CpuGuard, noiseOf, ratiosOf, SUBJECTS } from '../../bench/guard/cpu-guard.ts';
import { earlierProgram } from '../../bench/guard/earlier-program.ts';
import { timeLimit } from '../helpers/time-limit.ts';

/** A request may cost 15 % more than one of the program that is compared with. */
const TOLERANCE = 1.15;
/** So many rounds are enough if they are good. Otherwise the measurement goes on until the time is over. */
const ENOUGH = 20;
const LIMIT_MS = 30_000;

/** Rounds of this program, and of the earlier one in turns. */
interface Rounds {
  now: Costs[];
  earlier: Costs[];
}

const { commit }: { commit: string } = JSON.parse(
  readFileSync(new URL('../../bench/cpu-guard.json', import.meta.url), 'utf8'),
);
const skip = !existsSync('/proc/self/schedstat') && 'the CPU time of another process is read from /proc';

// One commit has cost 1.76 and 2.48 constant answers by digest on one machine, in two hours with other neighbours. So the recorded
// program is measured beside this one. `node bench/guard/record.ts --record` records another program to compare with.
t.test('a manifest costs no more CPU than it did', { skip, timeout: timeLimit(120_000) }, async (t) => {
  const guards = { now: await CpuGuard.start(t), earlier: await CpuGuard.start(t, await earlierProgram(commit)) };
  await guards.now.warmUp();
  await guards.earlier.warmUp();
  const until = performance.now() + LIMIT_MS;
  const rounds: Rounds = { now: [], earlier: [] };
  while (rounds.now.length < ENOUGH || (excess(rounds).length > 0 && performance.now() < until)) {
    rounds.now.push(await guards.now.round());
    rounds.earlier.push(await guards.earlier.round());
  }
  t.strictSame(excess(rounds), [], `${describe('now', rounds.now)}; ${describe(commit, rounds.earlier)}`);
});

/** What costs too much. A noisy machine widens the bound. */
function excess({ now, earlier }: Rounds): string[] {
  const [is, was] = [ratiosOf(now), ratiosOf(earlier)];
  const bound = TOLERANCE * Math.max(noiseOf(now), noiseOf(earlier));
  return (['tag', 'digest'] as const).flatMap((subject) =>
    is[subject] <= was[subject] * bound
      ? []
      : [`by ${subject}: ${is[subject].toFixed(2)} x a constant answer, and ${was[subject].toFixed(2)} at ${commit}`],
  );
}

/** The numbers behind a failure. */
function describe(name: string, rounds: readonly Costs[]): string {
  const costs = SUBJECTS.map((subject) => {
    const least = Math.min(...rounds.map((costs) => costs[subject]));
    return `${subject} ${least.toFixed(1)} us`;
  });
  const ratios = Object.entries(ratiosOf(rounds)).map(([subject, ratio]) => `${subject} ${ratio.toFixed(2)} x`);
  return `${name}: ${[...costs, ...ratios].join(', ')} in ${rounds.length} rounds; noise ${noiseOf(rounds).toFixed(2)}`;
}
