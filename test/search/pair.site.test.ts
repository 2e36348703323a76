import fc from 'fast-check';
import t from 'tap';
import { propertyRuns } from '../helpers/property-runs.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { pair } from './pair.ts';
import { searchBatch } from './search.ts';

/** Other seeds are for the command: a find of theirs is no fault of the change that is being tested. */
const SEED = 7;

// A share of what `npm run search -- --what pair` runs.

t.test(pair.says, { timeout: timeLimit(600_000) }, async (t) => {
  for (const schedule of fc.sample(pair.schedules, { numRuns: propertyRuns(500), seed: SEED }))
    for (const find of await searchBatch(pair, [schedule]))
      t.fail(find.wrong, { schedule: JSON.stringify(find.schedule) });
  t.pass('no schedule broke a rule');
});
