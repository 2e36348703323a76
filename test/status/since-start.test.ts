import t from 'tap';
import { SinceStart } from '../../src/status/since-start.ts';
import { pullRecord } from './snapshot/views.ts';

t.test('counts what the edge did', async (t) => {
  const since = new SinceStart();
  const splice = { from: 'harbor', reason: 'reset', at: 1, ms: 2 } as const;
  since.record(pullRecord({ hedges: { started: 2, won: 1, refused: 4 }, splices: [{ ...splice, to: 'gcr' }, splice] }));
  since.record(pullRecord({ verified: 'right', tag: { verdict: 'stale', action: 'warned' } }));
  since.record(pullRecord({ verified: 'wrong', tag: { verdict: 'stale', action: 'replaced' } }));
  since.record(pullRecord({ verified: 'unknown', tag: { verdict: 'current', action: 'served' } }));
  since.record(pullRecord({ tag: { verdict: 'stale', action: 'refused' } }));
  t.same(since.figures, {
    hedges: { started: 2, won: 1, refused: 4 },
    splices: { done: 1, failed: 1 },
    verified: { right: 1, wrong: 1, unknown: 1 },
    tags: { warned: 1, replaced: 1, refused: 1 },
  });
});

t.test('counts the upstreams that were overtaken, once for a coalesced request', async (t) => {
  const since = new SinceStart();
  const [first, second] = pullRecord().attempts;
  if (!first || !second) return t.fail('there are two attempts');
  const attempts = [{ ...first, reason: 'late' as const }, second];
  since.record(pullRecord({ attempts }));
  since.record(pullRecord({ attempts, coalesced: true }));
  since.record(pullRecord());
  t.same([...since.outrun], [['harbor', 1]]);
  since.record(pullRecord({ attempts: [{ ...first, reason: 'late', reads: 3 }] }));
  t.same([...since.outrun], [['harbor', 4]], 'each read of several');
});

t.test('gives figures that do not change any more', async (t) => {
  const since = new SinceStart();
  const before = since.figures;
  since.record(pullRecord({ hedges: { started: 1, won: 0, refused: 0 } }));
  t.equal(before.hedges.started, 0);
});
