import t from 'tap';
import { testOutage } from '../helpers/outage.ts';
import { OUTAGE_TOOLS } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';

t.test("the primary's storage hangs, while /v2/ answers", { skip: missing(...OUTAGE_TOOLS) }, (t) =>
  testOutage(t, {
    begin: ({ harbor }) => harbor.storage.hang(),
    end: ({ harbor }) => harbor.storage.unhang(),
    takesUploads: true,
  }),
);
