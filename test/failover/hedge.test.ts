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
  for (let hedge = 0; hedge < BURST; hedge += 1) t.ok(budget.spend(`client ${hedge}`), `hedge ${hedge}`);
  t.notOk(budget.spend('ann'), 'no more');
  let paid = 0;
  for (let request = 0; request < 1000; request += 1) {
    budget.earn(`client ${request % 7}`);
    if (budget.spend(`client ${request % 7}`)) paid += 1;
  }
  t.ok(paid >= 99 && paid <= 100, `one in ten: ${paid}`);
});

t.test('an unused budget of hedges does not grow without limit', async (t) => {
  const budget = new HedgeBudget(1);
  for (let request = 0; request < 1000; request += 1) budget.earn('ann');
  const paid = Array.from({ length: 100 }, (_, index) => budget.spend(`client ${index}`)).filter(Boolean);
  t.equal(paid.length, BURST);
});

t.test('one client leaves half of the burst to the others', async (t) => {
  const budget = new HedgeBudget(0.5);
  const spent = (client: string) => Array.from({ length: 100 }, () => budget.spend(client)).filter(Boolean).length;
  t.equal(spent('noisy'), BURST / 2);
  t.equal(spent('ann'), BURST / 2);
  budget.earn('ben');
  budget.earn('noisy');
  t.equal(budget.spend('noisy'), false, 'half a hedge of its own');
  budget.earn('noisy');
  t.equal(budget.spend('noisy'), true);
  for (let request = 0; request < 20; request += 1) budget.earn('noisy');
  t.equal(spent('noisy'), BURST / 2, 'its share is back, and does not pile up');
});

t.test('clients that are forgotten have their whole share again', async (t) => {
  const budget = new HedgeBudget(1);
  for (let hedge = 0; hedge < BURST / 2; hedge += 1) budget.spend('ann');
  t.equal(budget.spend('ann'), false);
  for (let client = 0; client < 256; client += 1) {
    budget.earn('none');
    budget.spend(`client ${client}`);
  }
  t.equal(budget.spend('ann'), true);
});

t.test('no share, no hedge', async (t) => {
  const budget = new HedgeBudget(0);
  t.notOk(budget.spend('ann'));
  for (let request = 0; request < 1000; request += 1) budget.earn('ann');
  t.notOk(budget.spend('ann'));
});

t.test('never more than burst and share, in any order of requests and hedges', async () => {
  const share = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true }));
  fc.assert(
    fc.property(
      share,
      fc.array(fc.tuple(fc.boolean(), fc.constantFrom('a', 'b', 'c')), { maxLength: 400 }),
      (perRequest, steps) => {
        const budget = new HedgeBudget(perRequest);
        let requests = 0;
        let hedges = 0;
        for (const [isRequest, client] of steps) {
          if (isRequest) requests += 1;
          if (isRequest) budget.earn(client);
          else if (budget.spend(client)) hedges += 1;
          // A little more for sums of doubles.
          if (hedges > (perRequest === 0 ? 0 : BURST) + requests * perRequest + 1e-6) return false;
        }
        return true;
      },
    ),
  );
});
