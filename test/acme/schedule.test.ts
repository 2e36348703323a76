import t from 'tap';
import {
  type AcmeFacts,
  backoffMs,
  CLAIM_MS,
  lookAgainMs,
  nextStep,
  orderAllowed,
  RENEW_BEFORE_MS,
  recentOrders,
  renewalTime,
  SETTLE_MS,
} from '../../src/acme/schedule.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-30T12:00:00Z');

const facts = (changes: Partial<AcmeFacts> = {}): AcmeFacts => ({
  now: NOW,
  certificate: undefined,
  mayOrder: true,
  orders: [],
  failures: 0,
  lastFailure: undefined,
  edge: 'bb',
  claims: [],
  hasPeers: false,
  wished: false,
  ...changes,
});
const span = (from: number, until: number, complete = true) => ({
  from: NOW + from * DAY,
  until: NOW + until * DAY,
  complete,
});
const claim = (edge: string, ago: number, ordering = false) => ({ edge, at: NOW - ago, ordering });

t.test('what an edge does', async (t) => {
  const rows: [string, Partial<AcmeFacts>, string][] = [
    ['nothing is there', {}, 'order'],
    ['31 days are left of 90', { certificate: span(-59, 31) }, 'valid'],
    ['30 days are left of 90', { certificate: span(-60, 30) }, 'order'],
    ['it has expired', { certificate: span(-90, -1) }, 'order'],
    ['a name is missing', { certificate: span(-1, 89, false) }, 'order'],
    ['3 days are left of 6', { certificate: span(-3, 3) }, 'valid'],
    ['2 days are left of 6', { certificate: span(-4, 2) }, 'order'],
    ['the clock here is wrong, and it seems to come from the future', { certificate: span(1000, 1090) }, 'valid'],
    ['no folder', { mayOrder: false }, 'follower'],
    ['no folder, but valid', { mayOrder: false, certificate: span(-1, 89) }, 'valid'],
    ['one order this week', { orders: [NOW - DAY] }, 'order'],
    ['two orders this week', { orders: [NOW - DAY, NOW - 2 * DAY] }, 'weekly'],
    ['two orders, one of them long ago', { orders: [NOW - DAY, NOW - 8 * DAY] }, 'order'],
    ['orders in the future', { orders: [NOW + DAY, NOW + 2 * DAY] }, 'weekly'],
    ['a failure just now', { failures: 1, lastFailure: NOW }, 'backoff'],
    ['a failure some time ago', { failures: 1, lastFailure: NOW - 10 * 60_000 }, 'order'],
    ['a third failure needs more time', { failures: 3, lastFailure: NOW - 20 * 60_000 }, 'backoff'],
    ['a failure of a clock that was set back', { failures: 5, lastFailure: NOW + DAY }, 'order'],
    ['two orders this week, but an operator wants one', { orders: [NOW - DAY, NOW - 2 * DAY], wished: true }, 'order'],
    ['a failure just now, but an operator wants one', { failures: 9, lastFailure: NOW, wished: true }, 'order'],
    ['valid, but an operator wants another one', { certificate: span(-1, 89), wished: true }, 'order'],
    ['an operator wants one where there is no folder', { mayOrder: false, wished: true }, 'follower'],
    ['an operator wants one, and there are peers', { hasPeers: true, wished: true }, 'claim'],
    [
      'an operator wants one, and another edge orders',
      { hasPeers: true, wished: true, claims: [claim('cc', 0, true)] },
      'other-edge',
    ],
    ['peers, and no claim yet', { hasPeers: true }, 'claim'],
    ['its claim is fresh', { hasPeers: true, claims: [claim('bb', 0)] }, 'settling'],
    ['its claim has been heard', { hasPeers: true, claims: [claim('bb', SETTLE_MS)] }, 'order'],
    [
      'a claim of an edge before it',
      { hasPeers: true, claims: [claim('bb', SETTLE_MS), claim('aa', 0)] },
      'other-edge',
    ],
    ['a claim of an edge after it', { hasPeers: true, claims: [claim('bb', SETTLE_MS), claim('cc', 0)] }, 'order'],
    [
      'an edge after it orders',
      { hasPeers: true, claims: [claim('bb', SETTLE_MS), claim('cc', 0, true)] },
      'other-edge',
    ],
    [
      'an edge that ordered has died',
      { hasPeers: true, claims: [claim('bb', SETTLE_MS), claim('aa', CLAIM_MS, true)] },
      'order',
    ],
    ['its own claim is too old', { hasPeers: true, claims: [claim('bb', CLAIM_MS)] }, 'claim'],
    ['a claim of long ago by a set clock', { hasPeers: true, claims: [claim('aa', -CLAIM_MS)] }, 'claim'],
  ];
  for (const [title, changes, expected] of rows) {
    const step = nextStep(facts(changes));
    t.equal(step.do === 'wait' ? step.reason : step.do, expected, title);
    if (step.do === 'wait') t.ok(step.until > NOW, `${title}: it waits for something to come`);
  }
});

t.test('exactly one of any edges that want to order does', async (t) => {
  const claims = ['cc', 'aa', 'bb'].map((edge) => claim(edge, SETTLE_MS));
  const steps = ['aa', 'bb', 'cc'].map((edge) => nextStep(facts({ edge, claims, hasPeers: true })).do);
  t.strictSame(steps, ['order', 'wait', 'wait']);
});

t.test('never more than two orders in any week, whatever happens', async (t) => {
  let now = NOW;
  const orders: number[] = [];
  let failures = 0;
  let lastFailure: number | undefined;
  // A CA that refuses everything, for four months.
  while (now < NOW + 120 * DAY) {
    const step = nextStep(facts({ now, orders, failures, lastFailure }));
    if (step.do === 'order') {
      orders.push(now);
      failures += 1;
      lastFailure = now;
    }
    now += lookAgainMs(step, now, false);
  }
  for (const at of orders) t.ok(orders.filter((one) => one > at - 7 * DAY && one <= at).length <= 2);
  t.ok(orders.length >= 30, 'but it goes on trying');
});

t.test('times', async (t) => {
  t.equal(renewalTime(undefined), 0);
  t.equal(renewalTime(span(-1, 89)), NOW + 89 * DAY - RENEW_BEFORE_MS);
  t.equal(renewalTime(span(0, 6)), NOW + 4 * DAY);
  t.equal(orderAllowed([NOW - DAY, NOW - 3 * DAY], NOW), NOW + 4 * DAY);
  t.equal(orderAllowed([NOW - DAY, NOW - 2 * DAY, NOW - 3 * DAY], NOW), NOW + 5 * DAY);
  t.strictSame(
    [1, 2, 3, 50].map((count) => backoffMs(count) / 60_000),
    [10, 20, 40, 720],
  );
  t.strictSame(recentOrders([NOW - 8 * DAY, NOW - DAY, NOW + DAY], NOW), [NOW - DAY, NOW]);
  t.equal(lookAgainMs({ do: 'claim' }, NOW, true), 1000);
  t.equal(lookAgainMs({ do: 'wait', reason: 'valid', until: NOW + 50 * DAY }, NOW, true), HOUR);
  t.equal(lookAgainMs({ do: 'wait', reason: 'other-edge', until: NOW + DAY }, NOW, true), 60_000);
  t.equal(lookAgainMs({ do: 'wait', reason: 'backoff', until: NOW + 5_000 }, NOW, false), 5_000);
});
