import t from 'tap';
import { ProbeTimes } from '../../src/failover/probe-times.ts';

const MINUTE = 60_000;

/** Good probes, one in six seconds. */
function after(times: readonly number[], timeout = 1000): ProbeTimes {
  const probes = new ProbeTimes(timeout);
  for (const [index, ms] of times.entries()) probes.addGood(ms, index * 6000);
  return probes;
}

const many = (count: number, ms: number) => Array.from({ length: count }, () => ms);

t.test('the time of a probe follows good probes of the last hour', async (t) => {
  const rows: [says: string, times: number[], limit: number][] = [
    ['none yet', [], 1000],
    ['quick ones', many(100, 20), 1000],
    ['slow ones', many(100, 700), 1400],
    ['the last one is slow: it has just become slow', [...many(100, 20), 1500], 3000],
    ['a slow one at the start of the edge', [1500, ...many(10, 20)], 1000],
    ['one slow one among many', [1500, ...many(30, 20)], 1000],
    ['a tenth of them is slow, but not the last one', [...many(10, 1200), ...many(90, 20)], 2400],
    ['very slow ones', many(100, 9000), 5000],
  ];
  for (const [says, times, limit] of rows) t.equal(after(times).limit, limit, says);
  t.equal(after(many(100, 9000), 8000).limit, 8000, 'a longer timeout counts');
});

t.test('older ones are forgotten', async (t) => {
  const probes = after(many(100, 2000));
  for (let index = 0; index < 30; index += 1) probes.addGood(20, 30 * MINUTE + index * 6000);
  t.equal(probes.limit, 4000);
  probes.addGood(20, 71 * MINUTE);
  t.equal(probes.limit, 1000);
});

t.test('of many in a short time, one in five seconds is remembered', async (t) => {
  const probes = after(many(30, 20));
  for (let index = 0; index < 40; index += 1) probes.addGood(2000, 180_000 + index * 50);
  probes.addGood(20, 190_000);
  t.equal(probes.limit, 1000);
});
