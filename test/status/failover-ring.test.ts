import t from 'tap';
import { FailoverRing } from '../../src/status/failover-ring.ts';
import { NOW, pullRecord } from './snapshot/views.ts';

t.test('tells from whom, to whom and why', async (t) => {
  const ring = new FailoverRing();
  ring.record(pullRecord());
  t.same(ring.list(), [
    {
      at: new Date(NOW + 3_040).toISOString(),
      repository: 'library/app',
      route: 'library/',
      from: 'harbor',
      to: 'gcr',
      reason: 'first-byte',
      detail: 'no first byte in 3 s',
      count: 1,
    },
  ]);
});

t.test('names a reason for every way to be passed over', async (t) => {
  const [attempt] = pullRecord().attempts;
  const reasonFor = (over: object | undefined) => {
    const ring = new FailoverRing();
    ring.record(pullRecord({ attempts: over && attempt ? [{ ...attempt, ...over }] : [] }));
    return ring.list()[0]?.reason;
  };
  t.equal(reasonFor(undefined), 'avoided');
  t.equal(reasonFor({ outcome: 'failed', reason: 'stall' }), 'stall');
  t.equal(reasonFor({ outcome: 'aborted' }), 'slower');
  t.equal(reasonFor({ outcome: 'absent' }), 'absent');
  t.equal(reasonFor({ outcome: 'refused' }), 'refused');
});

t.test('keeps what is no failover out', async (t) => {
  const ring = new FailoverRing();
  const { upstream: _, ...unanswered } = pullRecord({ outcome: 'failed', status: 503 });
  ring.record(unanswered);
  ring.record(pullRecord({ upstream: 'harbor', outcome: 'served' }));
  const { preferred: __, ...unplanned } = pullRecord();
  ring.record(unplanned);
  t.same(ring.list(), []);
});

t.test('counts equal ones as one, newest first, within its size', async (t) => {
  const ring = new FailoverRing(3);
  for (let index = 0; index < 5; index += 1)
    ring.record(pullRecord({ repository: `library/${index}`, startedAt: NOW + index }));
  for (let index = 0; index < 40; index += 1)
    ring.record(pullRecord({ repository: 'library/3', startedAt: NOW + 100 + index }));
  t.match(ring.list(), [
    { repository: 'library/3', count: 41, at: new Date(NOW + 139 + 3_040).toISOString() },
    { repository: 'library/4', count: 1 },
    { repository: 'library/2', count: 1 },
  ]);
});
