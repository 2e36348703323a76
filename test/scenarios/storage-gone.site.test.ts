import t from 'tap';
import { testOutage } from '../helpers/outage.ts';
import { OUTAGE_TOOLS } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';

t.test(
  "the primary's storage is gone: it says 404 to everything, and takes uploads",
  { skip: missing(...OUTAGE_TOOLS) },
  (t) =>
    testOutage(t, {
      begin: ({ harbor }) => harbor.storage.moveAway(),
      end: ({ harbor }) => harbor.storage.moveBack(),
    }),
);
