import t from 'tap';
import {
  type HoldState,
  holdEnd,
  IGNORE_MS,
  LAST_MS,
  nextHoldStep,
  QUIET_MS,
  RETRY_MS,
  SHORT_MS,
} from '../../src/server/hold-step.ts';

const OPEN = { closed: false, since: Number.POSITIVE_INFINITY };

/** An edge that holds the VIP, with a long transfer. */
const busy: HoldState = {
  elapsed: 10_000,
  timeout: 300_000,
  vipHere: true,
  underWay: 3,
  oldest: 60_000,
  quiet: 0,
  door: OPEN,
  settled: true,
  cutLong: false,
};
const quiet = { ...busy, underWay: 0, oldest: 0, quiet: 1000 };

t.test('what is next', async (t) => {
  const rows: [string, HoldState, ReturnType<typeof nextHoldStep>][] = [
    ['a long transfer', busy, 'wait'],
    ['only short requests', { ...busy, oldest: SHORT_MS - 1 }, 'ignore-new'],
    ['idle connections may still send one', { ...busy, oldest: 1, settled: false }, 'wait'],
    ['idle connections may still send one, and nothing runs', { ...quiet, settled: false }, 'wait'],
    ['nothing is under way', quiet, 'ignore-new'],
    ['the same, and new connections are ignored', { ...quiet, door: { closed: true, since: 60 } }, 'over'],
    ['but not for long enough', { ...quiet, quiet: QUIET_MS - 1, door: { closed: true, since: 60 } }, 'wait'],
    ['short requests run on', { ...busy, oldest: 500, door: { closed: true, since: 500 } }, 'wait'],
    ['they were longer than they seemed', { ...busy, door: { closed: true, since: IGNORE_MS } }, 'take-new'],
    ['a second try comes later', { ...busy, oldest: 500, door: { closed: false, since: RETRY_MS - 1 } }, 'wait'],
    ['and then it comes', { ...busy, oldest: 500, door: { closed: false, since: RETRY_MS } }, 'ignore-new'],
    ['shortly before the end of the time', { ...busy, elapsed: 300_000 - IGNORE_MS }, 'ignore-new'],
    [
      'new connections stay out from then on',
      { ...busy, elapsed: 299_999, door: { closed: true, since: IGNORE_MS } },
      'wait',
    ],
    ['the time is over', { ...busy, elapsed: 300_000 }, 'cut-long'],
    [
      'what is short may end',
      { ...busy, elapsed: 300_001, door: { closed: true, since: 1501 }, cutLong: true },
      'wait',
    ],
    ['it does not', { ...busy, elapsed: 300_000 + LAST_MS, cutLong: true }, 'over'],
    ['the time is over, and new connections come', { ...busy, elapsed: 300_000, door: undefined }, 'cut-long'],
    ['and nobody waits for them', { ...busy, elapsed: 300_001, door: undefined, cutLong: true }, 'over'],
    ['the VIP has left', { ...busy, vipHere: false }, 'over'],
    ['new connections cannot be ignored', { ...busy, oldest: 1, door: undefined }, 'wait'],
    ['the same, and nothing is under way', { ...quiet, door: undefined, vipHere: undefined }, 'over'],
  ];
  for (const [name, state, step] of rows) t.equal(nextHoldStep(state), step, name);
});

t.test('why it is over', async (t) => {
  t.equal(holdEnd(busy), undefined);
  t.equal(holdEnd({ ...quiet, door: { closed: true, since: 60 } }), 'quiet');
  t.equal(holdEnd({ ...busy, elapsed: 300_000 }), undefined);
  t.equal(holdEnd({ ...busy, elapsed: 300_000 + LAST_MS }), 'timeout');
  t.equal(holdEnd({ ...quiet, vipHere: false }), 'vip-lost');
  t.equal(holdEnd({ ...quiet, elapsed: 300_000, door: { closed: true, since: 60 } }), 'quiet', 'nothing had to be cut');
});
