import t from 'tap';
import { wishText } from '../../../src/cli/cert/order.ts';

t.test('says who orders', async (t) => {
  const names = ['cr.example.io', 'second.example.io'];
  const rows = {
    'this-edge': 'a certificate for cr.example.io, second.example.io is being ordered',
    site: 'a certificate for cr.example.io, second.example.io is being ordered by one edge of the site, in a few seconds',
    'under-way': 'a certificate for cr.example.io, second.example.io is being ordered already; nothing more is ordered',
  } as const;
  for (const [by, text] of Object.entries(rows))
    t.equal(wishText({ names, by: by as keyof typeof rows }), `${text}\nwhat becomes of it: breakwater status\n`);
});
