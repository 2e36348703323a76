import t from 'tap';
import { isBack, summarizeOutage } from '../../bench/outages/outage-summary.ts';
import type { FinishedPull } from '../../bench/outages/pull-series.ts';

const MOMENTS = { steady: 1000, began: 3000, ended: 6000 };

/** One pull every 50 ms up to 9 s; `change` says what is special about one that begins at a time. */
function pulls(change: (began: number) => Partial<FinishedPull> | undefined = () => undefined): FinishedPull[] {
  return Array.from({ length: 180 }, (_, index) => {
    const began = index * 50;
    return { began, ended: began + 10, upstreams: ['primary', 'primary'], ...change(began) };
  });
}

const inOutage = (began: number) => began >= MOMENTS.began && began < MOMENTS.ended;

t.test('without an outage nothing is worse', async (t) => {
  const verdict = summarizeOutage(pulls(), MOMENTS);
  t.match(verdict, { pulls: 180, failed: 0, errors: [], gap: 50, steadyGap: 50, steadyP99: 10, outageP99: 10 });
  t.match(verdict, { back: 10, relapses: 0 });
});

t.test('the gap is between the ends of good pulls, and may begin before the outage', async (t) => {
  const verdict = summarizeOutage(
    pulls((began) => (began >= 3000 && began < 4000 ? { error: 'no answer' } : undefined)),
    MOMENTS,
  );
  t.equal(verdict.gap, 1050, 'from the one that ended at 2960 to that of 4010');
  t.equal(verdict.failed, 20);
  t.strictSame(verdict.errors[0], { at: 0, error: 'no answer' });
  t.equal(verdict.outageP99, 10, 'the first second of the outage does not count');
});

t.test('a failed pull counts as endless', async (t) => {
  const verdict = summarizeOutage(
    pulls((began) => (began >= 5000 && inOutage(began) ? { error: 'reset' } : undefined)),
    MOMENTS,
  );
  t.equal(verdict.outageP99, Number.POSITIVE_INFINITY);
  t.equal(verdict.steadyP99, 10);
});

t.test('one slow pull of a hundred is what p99 forgives', async (t) => {
  const slow = (times: readonly number[]) =>
    pulls((began) => (times.includes(began) ? { ended: began + 900 } : undefined));
  const moments = { ...MOMENTS, ended: 9000 };
  t.equal(summarizeOutage(slow([5000]), moments).outageP99, 10);
  t.equal(summarizeOutage(slow([5000, 6000]), moments).outageP99, 900);
  t.strictSame(summarizeOutage(slow([5000]), moments).slowestPulls[0], {
    at: 2000,
    took: 900,
    upstreams: ['primary', 'primary'],
  });
});

t.test('back is when the primary has served a whole second of pulls', async (t) => {
  const away = (until: number) => (began: number) =>
    inOutage(began) || (began >= MOMENTS.ended && began < until) ? { upstreams: ['primary', 'fallback'] } : undefined;
  t.equal(summarizeOutage(pulls(away(7000)), MOMENTS).back, 1010);
  t.equal(summarizeOutage(pulls(away(8500)), MOMENTS).back, Number.POSITIVE_INFINITY, 'half a second is not enough');
  t.equal(isBack(pulls(away(7000)), MOMENTS.ended), true);
  t.equal(isBack(pulls(away(8500)), MOMENTS.ended), false);
});

t.test('several pulls in a row elsewhere are a relapse, a single one is a hedge', async (t) => {
  const elsewhere = (times: readonly number[]) =>
    pulls((began) => (times.includes(began) ? { upstreams: ['fallback', 'fallback'] } : undefined));
  t.equal(summarizeOutage(elsewhere([8000]), MOMENTS).relapses, 0);
  t.equal(summarizeOutage(elsewhere([8000, 8050, 8100]), MOMENTS).relapses, 1);
  t.equal(summarizeOutage(elsewhere([7500, 7550, 7600, 8000, 8050, 8100, 8150]), MOMENTS).relapses, 2);
});
