import t from 'tap';
import { testOutage } from '../helpers/outage.ts';
import { OUTAGE_TOOLS } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';

t.test("the primary's storage fails: it says 500, or 200 without a body", { skip: missing(...OUTAGE_TOOLS) }, (t) =>
  testOutage(t, {
    begin: ({ harbor }) => harbor.storage.fail(),
    end: ({ harbor }) => harbor.storage.mend(),
  }),
);
