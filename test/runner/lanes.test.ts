import t from 'tap';
import type { Job, Lane } from './job.ts';
import { runInLanes } from './lanes.ts';

const job = (name: string, lane: Lane): Job => ({ name, lane, command: [], tap: false });

t.test('each job runs once, in the order of its lane, and a place whose lane is done takes from another', async (t) => {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const jobs = [job('c1', 'cpu'), job('r1', 'real'), job('c2', 'cpu'), job('c3', 'cpu')];
  const done = runInLanes(jobs, { cpu: 1, real: 1 }, async (job) => {
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
});
