import t from 'tap';
import { testOutage } from '../helpers/outage.ts';
import { OUTAGE_TOOLS } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

t.test('the primary is killed with requests in flight', { skip: missing(...OUTAGE_TOOLS) }, (t) =>
  testOutage(t, {
    begin: async ({ harbor }, pulls) => {
      // Frozen first, so that there certainly are some, with no byte of an answer yet.
      harbor.freeze();
      await until(() => pulls.underWay >= 5);
      await harbor.kill();
    },
    end: ({ harbor }) => harbor.start(),
  }),
);
