import fc from 'fast-check';
import t from 'tap';
import { LedgerClock, MAX_AHEAD_MS } from '../../src/ledger/ledger-clock.ts';

const START = Date.parse('2026-11-21T10:00:00Z');

t.test('it looks like the clock of the host', async (t) => {
  const before = Date.now();
  const now = new LedgerClock().now();
  t.ok(now >= before && now <= Date.now() + 1);
});

t.test('it never goes back and never says the same twice', async (t) => {
  let wall = START;
  const clock = new LedgerClock(() => wall);
  t.equal(clock.now(), START);
  const again = clock.now();
  t.ok(again > START && again < START + 1, 'two times in one millisecond');
  wall += 1000;
  t.equal(clock.now(), START + 1000);
  wall -= 3_600_000;
  const [afterStep, next] = [clock.now(), clock.now()];
  t.ok(afterStep > START + 1000 && next > afterStep, 'not even if the clock below it did');
  t.ok(next < START + 1001);
});

t.test('what is learnt is earlier than all that is told afterwards', async (t) => {
  const clock = new LedgerClock(() => START);
  t.equal(clock.observe(START + MAX_AHEAD_MS), true);
  t.ok(clock.now() > START + MAX_AHEAD_MS);
});

t.test('a future that is too far is not learnt', async (t) => {
  const clock = new LedgerClock(() => START);
  for (const at of [START + MAX_AHEAD_MS + 1, Number.POSITIVE_INFINITY, Number.NaN]) t.equal(clock.observe(at), false);
  t.equal(clock.now(), START);
});

t.test('its own times are always believed', async (t) => {
  let wall = START;
  const clock = new LedgerClock(() => wall);
  const own = clock.now();
  wall -= 3_600_000;
  t.equal(clock.observe(own), true);
});

t.test('property: whatever the host does, later is later', async () => {
  const event = fc.oneof(
    fc.record({ wall: fc.integer({ min: START - 1e7, max: START + 1e7 }) }),
    fc.record({ learn: fc.integer({ min: START - 1e7, max: START + 1e7 }) }),
    fc.constant({}),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 50 }), (events) => {
      let wall = START;
      let last = 0;
      const clock = new LedgerClock(() => wall);
      for (const one of events) {
        if ('wall' in one) wall = one.wall;
        if ('learn' in one && clock.observe(one.learn)) last = Math.max(last, one.learn);
        const now = clock.now();
        if (now <= last || now < wall) return false;
        last = now;
      }
      return true;
    }),
  );
});
