import { Cleanup } from '../helpers/cleanup.ts';
import { RuleBroken } from './pair-judge.ts';
import { PairRun } from './pair-run.ts';
import { type PairSchedule, pairSchedules } from './pair-schedule.ts';
import { PairSite } from './pair-site.ts';
import type { Search } from './search.ts';
import { VirtualTime } from './virtual-time.ts';

export const pair: Search<PairSchedule> = {
  says: 'with two edges, nothing acknowledged is lost, no tag goes back in silence, there is no 404 for what exists, and nobody gets what the primary hides',
  schedules: pairSchedules,
  // Time is one for the whole process.
  batch: 1,
  steps: ({ steps }) => steps,
  withSteps: (schedule, steps) => ({ ...schedule, steps: steps as PairSchedule['steps'] }),
  async run(_, schedules) {
    const found: (string | undefined)[] = [];
    for (const schedule of schedules) found.push(await wrongWith(schedule));
    return found;
  },
};

async function wrongWith(schedule: PairSchedule): Promise<string | undefined> {
  const cleanup = new Cleanup();
  try {
    const site = await PairSite.start(cleanup, new VirtualTime(cleanup, schedule.chance), schedule);
    try {
      await new PairRun(site, schedule).run();
      return undefined;
    } finally {
      await site.stop();
    }
  } catch (error) {
    if (error instanceof RuleBroken) return error.message;
    // The schedule is as much a find as one that breaks a rule.
    return `the schedule cannot be played: ${error instanceof Error ? error.stack : String(error)}`;
  } finally {
    await cleanup.run();
  }
}
