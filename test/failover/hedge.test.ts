import fc from 'fast-check';
import t from 'tap';
import { HedgeBudget, type HedgeTimes, hedgeAfter } from '../../src/failover/hedge.ts';

const BURST = 10;

t.test('when an answer is late', async (t) => {
  const cases: [says: string, times: HedgeTimes, after: number][] = [
    ['as long as it usually takes', { p95: 400, floor: 150, deadline: 3000 }, 400],
    ['never sooner than the floor', { p95: 3, floor: 150, deadline: 3000 }, 150],
    ['nor at once, where the floor is all there is', { p95: 0, floor: 1, deadline: 3000 }, 1],
    ['never later than the deadline', { p95: 9000, floor: 150, deadline: 3000 }, 3000],
    ['the deadline is stronger than the floor', { p95: 9000, floor: 5000, deadline: 700 }, 700],
    ['twice the floor where it is not known', { p95: undefined, floor: 150, deadline: 3000 }, 300],
    ['which the deadline bounds too', { p95: undefined, floor: 2000, deadline: 3000 }, 3000],
    ['exactly at the floor', { p95: 150, floor: 150, deadline: 3000 }, 150],
  ];
  for (const [says, times, after] of cases) t.equal(hedgeAfter(times), after, says);
});

t.test('whatever the times', async () => {
  const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(fc.option(ms, { nil: undefined }), ms, ms, (p95, floor, deadline) => {
      const after = hedgeAfter({ p95, floor, deadline });
      return (
        after <= deadline && after >= Math.min(floor, deadline) && (p95 === undefined || after <= Math.max(p95, floor))
      );
    }),
  );
});

t.test('a burst, and then a share of the requests', async (t) => {
  const budget = new HedgeBudget(0.1);
  for (let hedge = 0; hedge < BURST; hedge += 1) t.ok(budget.spend(), `hedge ${hedge}`);
  t.notOk(budget.spend(), 'no more');
  let paid = 0;
  for (let request = 0; request < 1000; request += 1) {
    budget.earn();
    if (budget.spend()) paid += 1;
  }
  t.ok(paid >= 99 && paid <= 100, `one in ten: ${paid}`);
});

t.test('what is not spent does not pile up', async (t) => {
  const budget = new HedgeBudget(1);
  for (let request = 0; request < 1000; request += 1) budget.earn();
  const paid = Array.from({ length: 100 }, () => budget.spend()).filter(Boolean);
  t.equal(paid.length, BURST);
});

t.test('no share, no hedge', async (t) => {
  const budget = new HedgeBudget(0);
  t.notOk(budget.spend());
  for (let request = 0; request < 1000; request += 1) budget.earn();
  t.notOk(budget.spend());
});

t.test('never more than burst and share, in any order of requests and hedges', async () => {
  const share = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true }));
  fc.assert(
    fc.property(share, fc.array(fc.boolean(), { maxLength: 400 }), (perRequest, steps) => {
      const budget = new HedgeBudget(perRequest);
      let requests = 0;
      let hedges = 0;
      for (const isRequest of steps) {
        if (isRequest) requests += 1;
        if (isRequest) budget.earn();
        else if (budget.spend()) hedges += 1;
        // A little more for sums of doubles.
        if (hedges > (perRequest === 0 ? 0 : BURST) + requests * perRequest + 1e-6) return false;
      }
      return true;
    }),
  );
});
