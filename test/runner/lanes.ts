import type { Job, Lane, Result } from './job.ts';

/** A place whose lane is done takes jobs of these, so that no core is idle. More real programs at a time would starve each other. */
const HELPS: Readonly<Record<Lane, readonly Lane[]>> = { cpu: [], real: ['cpu'], timed: [] };

/** Lanes that run beside each other. Each stage begins when the one before it has ended. */
const STAGES: readonly (readonly Lane[])[] = [['cpu', 'real'], ['timed']];

/**
 * Runs jobs in their order, so many at a time of each lane.
 * @param places processes at a time, by lane
 */
export async function runInLanes(
  jobs: readonly Job[],
  places: Readonly<Record<Lane, number>>,
  run: (job: Job) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = Map.groupBy(jobs, ({ lane }) => lane);
  const worker = (lane: Lane) =>
    Array.from({ length: places[lane] }, async () => {
      const order = [lane, ...HELPS[lane]];
      const next = () =>
        order
          .map((from) => waiting.get(from))
          .find((left) => left?.length)
          ?.shift();
      for (let job = next(); job !== undefined; job = next()) results.push(await run(job));
    });
  for (const lanes of STAGES) await Promise.all(lanes.flatMap(worker));
  return results;
}
