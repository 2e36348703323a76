import fc from 'fast-check';
import t from 'tap';
import { propertyRuns } from '../helpers/property-runs.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { neighbours } from './neighbours.ts';
import { searchBatch } from './search.ts';

// A share of what `npm run search -- --what neighbours` runs.

t.test(neighbours.says, { timeout: timeLimit(300_000) }, async (t) => {
  const runs = propertyRuns(400);
  const schedules = fc.sample(neighbours.schedules, runs);
  for (let done = 0; done < runs; done += neighbours.batch) {
    const bad = await searchBatch(neighbours, schedules.slice(done, done + neighbours.batch));
    t.strictSame(bad, [], `schedules ${done} to ${done + neighbours.batch}`);
  }
});
