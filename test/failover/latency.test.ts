import fc from 'fast-check';
import t from 'tap';
import { Latency } from '../../src/failover/latency.ts';

const KEPT = 64;
const ENOUGH = 8;

function latencyOf(...times: number[]): Latency {
  const latency = new Latency();
  for (const ms of times) latency.add(ms);
  return latency;
}

const repeated = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms);

t.test('what first bytes usually take', async (t) => {
  const cases: [says: string, times: number[], p95: number | undefined][] = [
    ['nothing is known at first', [], undefined],
    ['a few tell nothing', repeated(ENOUGH - 1, 20), undefined],
    ['eight tell something', repeated(ENOUGH, 20), 20],
    ['of eight the slowest', [1, 2, 3, 900, 5, 6, 7, 8], 900],
    ['one outlier of twenty-four is none', [...repeated(23, 10), 5000], 10],
    ['three of 64 are not usual', [...repeated(61, 10), 5000, 5000, 5000], 10],
    ['four of 64 are', [...repeated(60, 10), 700, 700, 700, 700], 700],
    ['what was long ago is forgotten', [...repeated(KEPT, 900), ...repeated(KEPT, 10)], 10],
    ['what is new counts within eight', [...repeated(KEPT, 10), ...repeated(8, 900)], 900],
  ];
  for (const [says, times, p95] of cases) t.equal(latencyOf(...times).p95, p95, says);
});

t.test('it is one of the times that came, and no more than 7 old', async () => {
  const times = fc.array(fc.nat(5000), { minLength: ENOUGH, maxLength: 300 });
  fc.assert(
    fc.property(times, (all) => {
      const { p95 = -1 } = latencyOf(...all);
      const computedAt = all.length - (all.length % ENOUGH);
      const recent = all.slice(Math.max(0, computedAt - KEPT), computedAt).sort((a, b) => a - b);
      const below = recent.filter((ms) => ms <= p95).length;
      const strictlyBelow = recent.filter((ms) => ms < p95).length;
      return recent.includes(p95) && below >= recent.length * 0.95 && strictlyBelow < recent.length * 0.95;
    }),
  );
});
