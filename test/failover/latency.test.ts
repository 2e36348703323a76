import fc from 'fast-check';
import t from 'tap';
import { Latency } from '../../src/failover/latency.ts';

const KEPT = 64;
const ENOUGH = 8;

/** Each sample is of another client and repository. */
function latencyOf(...times: number[]): Latency {
  const latency = new Latency();
  for (const [index, ms] of times.entries()) latency.add(ms, { client: `c${index}`, repository: `r${index}` });
  return latency;
}

const repeated = (count: number, ms: number): number[] => Array.from({ length: count }, () => ms);

t.test('the p95 of the times to the first byte', async (t) => {
  const cases: [says: string, times: number[], p95: number | undefined][] = [
    ['nothing is known at first', [], undefined],
    ['a few tell nothing', repeated(ENOUGH - 1, 20), undefined],
    ['eight tell something', repeated(ENOUGH, 20), 20],
    ['of eight the slowest', [1, 2, 3, 900, 5, 6, 7, 8], 900],
    ['one outlier of twenty-four is none', [...repeated(23, 10), 5000], 10],
    ['three of 64 are not usual', [...repeated(61, 10), 5000, 5000, 5000], 10],
    ['four are not, because one of their clients is left out', [...repeated(60, 10), ...repeated(4, 700)], 10],
    ['five of 64 are', [...repeated(59, 10), ...repeated(5, 700)], 700],
    ['what was long ago is forgotten', [...repeated(KEPT, 900), ...repeated(KEPT, 10)], 10],
    ['what is new counts within eight', [...repeated(KEPT, 10), ...repeated(8, 900)], 900],
  ];
  for (const [says, times, p95] of cases) t.equal(latencyOf(...times).p95, p95, says);
});

t.test('no client alone delays the hedges of others', async (t) => {
  const noisy = { client: 'noisy', repository: 'slow' };
  const latency = latencyOf(...repeated(KEPT, 10));
  for (let sample = 0; sample < 200; sample += 1) latency.add(5000, noisy);
  t.equal(latency.p95, 10, 'a slow repository that one client asks for again and again');
  for (let sample = 0; sample < 200; sample += 1) latency.add(5000, { ...noisy, repository: `slow ${sample % 9}` });
  t.equal(latency.p95, 10, 'nor many of them');

  const alone = new Latency();
  for (let sample = 0; sample < 30; sample += 1) alone.add(700, noisy);
  t.equal(alone.p95, 700, 'where it is the only client, its times are all there is');
  const other = { client: 'ann', repository: 'app' };
  for (let sample = 0; sample < 16; sample += 1) alone.add(20, other);
  t.equal(alone.p95, 20);
});

t.test('one client and repository give at most a quarter of the samples', async (t) => {
  const latency = new Latency();
  for (let sample = 0; sample < 48; sample += 1) latency.add(10, { client: `a${sample}`, repository: 'app' });
  for (let sample = 0; sample < 100; sample += 1) latency.add(1, { client: 'ben', repository: 'hot' });
  for (let sample = 0; sample < 8; sample += 1) latency.add(10, { client: `c${sample}`, repository: 'app' });
  t.equal(latency.p95, 10, 'a busy repository does not push out the rest');
});

t.test('it is one of the times that came, and no more than 7 old, with at most one client left out', async () => {
  const times = fc.array(fc.nat(5000), { minLength: ENOUGH, maxLength: 300 });
  fc.assert(
    fc.property(times, (all) => {
      const { p95 = -1 } = latencyOf(...all);
      const computedAt = all.length - (all.length % ENOUGH);
      const recent = all.slice(Math.max(0, computedAt - KEPT), computedAt).sort((a, b) => a - b);
      const below = recent.filter((ms) => ms <= p95).length;
      const strictlyBelow = recent.filter((ms) => ms < p95).length;
      return recent.includes(p95) && below >= (recent.length - 1) * 0.95 && strictlyBelow < recent.length * 0.95;
    }),
  );
});
