import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { type Costs, CpuGuard, noiseOf, type Ratios, ratiosOf, SUBJECTS } from '../../bench/guard/cpu-guard.ts';
import { timeLimit } from '../helpers/time-limit.ts';

/** The recorded ratio may be exceeded by 15 %. */
const TOLERANCE = 1.15;
/** So many rounds are enough if they are good. Otherwise the measurement goes on until the time is over. */
const ENOUGH = 20;
const LIMIT_MS = 15_000;

const { ratios: recorded }: { ratios: Ratios } = JSON.parse(
  readFileSync(new URL('../../bench/cpu-guard.json', import.meta.url), 'utf8'),
);
const skip = !existsSync('/proc/self/schedstat') && 'the CPU time of another process is read from /proc';

// `node bench/guard/record.ts --record` records the ratios anew.
t.test('a manifest costs no more CPU than it did', { skip, timeout: timeLimit(60_000) }, async (t) => {
  const guard = await CpuGuard.start(t);
  await guard.warmUp();
  const until = performance.now() + LIMIT_MS;
  const rounds: Costs[] = [];
  while (rounds.length < ENOUGH || (excess(rounds).length > 0 && performance.now() < until))
    rounds.push(await guard.round());
  t.strictSame(excess(rounds), [], describe(rounds));
});

/** What costs too much. A noisy machine widens the bound. */
function excess(rounds: readonly Costs[]): string[] {
  const ratios = ratiosOf(rounds);
  return (['tag', 'digest'] as const).flatMap((subject) => {
    const bound = recorded[subject] * TOLERANCE * noiseOf(rounds);
    if (ratios[subject] <= bound) return [];
    const [is, most, was] = [ratios[subject], bound, recorded[subject]].map((value) => value.toFixed(2));
    return [`by ${subject}: ${is} x a constant answer, at most ${most} (recorded: ${was})`];
  });
}

/** The numbers behind a failure. */
function describe(rounds: readonly Costs[]): string {
  const costs = SUBJECTS.map((subject) => {
    const least = Math.min(...rounds.map((costs) => costs[subject]));
    return `${subject} ${least.toFixed(1)} us`;
  });
  return `${costs.join(', ')} of CPU a request in ${rounds.length} rounds; noise ${noiseOf(rounds).toFixed(2)}`;
}
