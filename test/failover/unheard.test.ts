import t from 'tap';
import { type Hearing, heardAll, type PeerLoss, type Unheard, unheardAfter } from '../../src/failover/unheard.ts';

t.test('whether this edge has heard every push of a peer that is gone', async (t) => {
  const rows: [string, Hearing, PeerLoss, boolean][] = [
    ['its process ended while a question stood', { heardUntil: 0, stands: true }, 'ended', true],
    ['it ended, and no question stood', { heardUntil: 999, stands: false }, 'ended', false],
    ['nothing listens there a moment after the last news', { heardUntil: 901, stands: false }, 'refused', true],
    ['nothing listens there, and it could have replied unheard', { heardUntil: 900, stands: false }, 'refused', false],
    ['nothing listens there, and it was never heard', { heardUntil: undefined, stands: false }, 'refused', false],
    [
      'it is silent, though a question stands: it may serve clients',
      { heardUntil: 999, stands: true },
      'silent',
      false,
    ],
  ];
  for (const [name, hearing, loss, expected] of rows) t.equal(heardAll(hearing, loss, 1000), expected, name);
});

t.test('the age of a tag is unknown after a gap until the push upstream confirms the tag', async (t) => {
  const over: Unheard = { peer: 'a', since: 100, until: 200 };
  const later: Unheard = { peer: 'b', since: undefined, until: 300 };
  const open: Unheard = { peer: 'c', since: 500, until: undefined };
  const rows: [string, Unheard[], number | undefined, Unheard | undefined][] = [
    ['no edge is missing', [], undefined, undefined],
    ['confirmed before', [over], 50, over],
    ['confirmed in the middle of it', [over], 150, over],
    ['confirmed when it was over', [over], 200, undefined],
    ['never seen', [over], undefined, over],
    ['the last one counts', [over, later], 150, later],
    ['confirmed between the two', [later, over], 250, later],
    ['an edge that may still take pushes, however new the tag is', [over, open], 900, open],
  ];
  for (const [name, gaps, confirmedAt, expected] of rows) t.equal(unheardAfter(gaps, confirmedAt), expected, name);
});
