import t from 'tap';
import { testOutage } from '../helpers/outage.ts';
import { OUTAGE_TOOLS } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';

t.test('the primary is frozen: it accepts connections and says nothing', { skip: missing(...OUTAGE_TOOLS) }, (t) =>
  testOutage(t, {
    begin: async ({ harbor }) => harbor.freeze(),
    end: async ({ harbor }) => harbor.thaw(),
  }),
);
