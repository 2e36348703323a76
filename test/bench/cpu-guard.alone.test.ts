import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { CpuGuard, type ProcessCosts, SUBJECTS, summaryOf } from '../../bench/guard/cpu-guard.ts';
import { earlierProgram } from '../../bench/guard/earlier-program.ts';
import { median } from '../../bench/report/median.ts';
import { Cleanup } from '../helpers/cleanup.ts';
import { timeLimit } from '../helpers/time-limit.ts';

/** A request may cost 15 % more than one of the program that is compared with. */
const TOLERANCE = 1.15;
/** Rounds of one process. */
const ROUNDS = 20;
/** Processes of each program, at most. Two of one program differ by a third, for as long as they live. */
const MAX_STARTS = 5;

/** What the processes of this program cost, and those of the earlier one. */
interface Measured {
  now: ProcessCosts[];
  earlier: ProcessCosts[];
}

const { commit }: { commit: string } = JSON.parse(
  readFileSync(new URL('../../bench/cpu-guard.json', import.meta.url), 'utf8'),
);
const skip = !existsSync('/proc/self/schedstat') && 'the CPU time of another process is read from /proc';

// One commit has cost 1.76 and 2.48 constant answers by digest on one machine, in two hours with other neighbours. So the recorded
// program is measured beside this one. `node bench/guard/record.ts --record` records another program to compare with.
t.test('a manifest costs no more CPU than it did', { skip, timeout: timeLimit(240_000) }, async (t) => {
  const launcher = await earlierProgram(commit);
  const measured: Measured = { now: [], earlier: [] };
  do {
    const both = new Cleanup();
    try {
      const now = await CpuGuard.start(both);
      const earlier = await CpuGuard.start(both, launcher);
      const rounds = await CpuGuard.inTurns([now, earlier], ROUNDS);
      measured.now.push(summaryOf(rounds[0] ?? []));
      measured.earlier.push(summaryOf(rounds[1] ?? []));
    } finally {
      await both.run();
    }
  } while (excess(measured).length > 0 && measured.now.length < MAX_STARTS);
  t.strictSame(excess(measured), [], `${describe('now', measured.now)}; ${describe(commit, measured.earlier)}`);
});

/** What costs too much, the cheapest process of each program compared. A noisy machine widens the bound. */
function excess({ now, earlier }: Measured): string[] {
  const noise = median([...now, ...earlier].map((one) => one.noise));
  return (['tag', 'digest'] as const).flatMap((subject) => {
    const least = (costs: readonly ProcessCosts[]) => Math.min(...costs.map(({ ratios }) => ratios[subject]));
    const [is, was] = [least(now), least(earlier)];
    if (is <= was * TOLERANCE * noise) return [];
    return [`by ${subject}: ${is.toFixed(2)} x a constant answer, and ${was.toFixed(2)} at ${commit}`];
  });
}

/** The numbers behind a failure: of each process. */
function describe(name: string, processes: readonly ProcessCosts[]): string {
  const each = processes.map(({ least, ratios, noise }) => {
    const costs = SUBJECTS.map((subject) => `${subject} ${least[subject].toFixed(0)} us`);
    return `${costs.join(', ')} (${ratios.tag.toFixed(2)} x, ${ratios.digest.toFixed(2)} x; noise ${noise.toFixed(2)})`;
  });
  return `${name}: ${each.join('; ')}`;
}
