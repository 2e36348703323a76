import t from 'tap';
import type { Job, Lane } from './job.ts';
import { runInLanes } from './lanes.ts';

const job = (name: string, lane: Lane): Job => ({ name, lane, command: [], tap: false });

t.test(
  'each job runs once, in the order of its lane, and a place for real programs takes from the other lane at the end',
  async (t) => {
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const jobs = [job('c1', 'cpu'), job('r1', 'real'), job('c2', 'cpu'), job('c3', 'cpu')];
    const done = runInLanes(jobs, { cpu: 1, real: 1, timed: 1 }, async (job) => {
      begun.push(job.name);
      await new Promise<void>((resolve) => ends.set(job.name, resolve));
      return { job, counts: { passed: 1, failed: 0, skipped: 0 }, output: '', seconds: 0 };
    });
    const end = async (name: string) => {
      ends.get(name)?.();
      await new Promise(setImmediate);
    };
    t.strictSame(begun, ['c1', 'r1'], 'one of each lane');
    await end('r1');
    t.strictSame(begun, ['c1', 'r1', 'c2'], 'the place of what is real is not idle');
    await end('c2');
    await end('c3');
    await end('c1');
    t.strictSame(
      (await done).map((result) => result.job.name),
      ['r1', 'c2', 'c3', 'c1'],
    );
  },
);

t.test('no more real programs run at a time than there are places for them', async (t) => {
  let running = 0;
  let most = 0;
  const jobs = ['r1', 'r2', 'r3'].map((name) => job(name, 'real'));
  await runInLanes(jobs, { cpu: 2, real: 1, timed: 1 }, async (job) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    return { job, counts: { passed: 1, failed: 0, skipped: 0 }, output: '', seconds: 0 };
  });
  t.equal(most, 1);
});

t.test('what promises times begins when all else has ended', async (t) => {
  let running = 0;
  const beside: number[] = [];
  const jobs = [job('t1', 'timed'), job('t2', 'timed'), job('c1', 'cpu'), job('r1', 'real')];
  const results = await runInLanes(jobs, { cpu: 2, real: 2, timed: 1 }, async (job) => {
    if (job.lane === 'timed') beside.push(running);
    running += 1;
    await new Promise(setImmediate);
    running -= 1;
    return { job, counts: { passed: 1, failed: 0, skipped: 0 }, output: '', seconds: 0 };
  });
  t.strictSame(beside, [0, 0]);
  t.equal(results.length, 4);
});
