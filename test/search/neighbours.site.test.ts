import fc from 'fast-check';
import t from 'tap';
import { propertyRuns } from '../helpers/property-runs.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { neighbours } from './neighbours.ts';
import { searchBatch } from './search.ts';

/** Other seeds are for the command: a find of theirs is no fault of the change that is being tested. */
const SEED = 7;

// A share of what `npm run search -- --what neighbours` runs.

t.test(neighbours.says, { timeout: timeLimit(600_000) }, async (t) => {
  const runs = propertyRuns(1000);
  const schedules = fc.sample(neighbours.schedules, { numRuns: runs, seed: SEED });
  for (let done = 0; done < runs; done += neighbours.batch) {
    const bad = await searchBatch(neighbours, schedules.slice(done, done + neighbours.batch));
    t.strictSame(bad, [], `schedules ${done} to ${done + neighbours.batch}`);
  }
});
