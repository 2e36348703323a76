import type { Job, Lane, Result } from './job.ts';

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
  const workers = (Object.keys(places) as Lane[]).flatMap((lane) => {
    const waiting = jobs.filter((job) => job.lane === lane).values();
    return Array.from({ length: places[lane] }, async () => {
      // Workers share the iterator: each job is taken once.
      for (const job of waiting) results.push(await run(job));
    });
  });
  await Promise.all(workers);
  return results;
}
