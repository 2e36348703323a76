import type { Job, Lane, Result } from './job.ts';

/** A place whose lane is done takes jobs of these, so that no core is idle. More real programs at a time would starve each other. */
const HELPS: Readonly<Record<Lane, readonly Lane[]>> = { cpu: [], real: ['cpu'] };

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
  const lanes = Object.keys(places) as Lane[];
  const waiting = new Map(lanes.map((lane) => [lane, jobs.filter((job) => job.lane === lane)]));
  const workers = lanes.flatMap((lane) =>
    Array.from({ length: places[lane] }, async () => {
      const order = [lane, ...HELPS[lane]];
      const next = () =>
        order
          .map((from) => waiting.get(from))
          .find((left) => left?.length)
          ?.shift();
      for (let job = next(); job !== undefined; job = next()) results.push(await run(job));
    }),
  );
  await Promise.all(workers);
  return results;
}
