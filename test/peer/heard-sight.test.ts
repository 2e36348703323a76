import t from 'tap';
import { monotonicNow, readClocks } from '../../src/clock/clock.ts';
import { HeardSight } from '../../src/peer/heard-sight.ts';
import { tellSight } from '../../src/peer/sight-message.ts';

/** An edge that tells, with a clock of its own for durations, and a host's clock that is ahead. */
function message(aheadMs = 0) {
  const told = { holds: true, defers: false, away: false, upstreams: [] };
  return tellSight(told, '0.1.0', { monotonic: 7_000, wall: readClocks().wall + aheadMs });
}

t.test('when it was told, and the other clock', async (t) => {
  const heard = new HeardSight('10.0.0.12:443');
  const now = monotonicNow();
  heard.take('process', message(), now - 5, now, false);
  t.match(heard, { release: '0.1.0', current: { peer: '10.0.0.12:443', toldAt: now - 5, holds: true } });
  t.ok(Math.abs(heard.clockAheadMs ?? 99) < 50, `${heard.clockAheadMs} ms`);
  heard.take('process', message(600_000), now, now + 5, false);
  t.ok(Math.abs((heard.clockAheadMs ?? 0) - 600_000) < 50, `${heard.clockAheadMs} ms`);
  t.equal(heard.current?.toldAt, now, 'at the earliest');
});

t.test('nothing is kept of an edge that tells nothing, or is gone', async (t) => {
  const heard = new HeardSight('10.0.0.12:443');
  const none = { release: undefined, clockAheadMs: undefined, current: undefined };
  const now = monotonicNow();
  heard.take('process', message(), now - 5, now, false);
  heard.take('process', undefined, now, now, false);
  t.match(heard, none, 'of the release before');
  heard.take('another process', message(), now - 5, now, true);
  t.ok(heard.current);
  heard.forget();
  t.match(heard, none);
});
