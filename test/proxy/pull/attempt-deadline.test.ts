import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { CanaryState } from '../../../src/failover/view.ts';
import { AttemptClock, type Overtime } from '../../../src/proxy/pull/attempt-deadline.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { asUpstreamError } from '../../../src/upstream/upstream-error.ts';

const CANARY_MS = 50;

/** An attempt whose time ends together with that of all attempts, and whose canary is read then. */
function startLate(canary: CanaryState, given: Partial<Overtime> = {}) {
  const control = new AbortController();
  const checked = Promise.withResolvers<CanaryState | undefined>();
  let waits = 0;
  const overtime: Overtime = {
    ms: 60_000,
    checkedAfter: 20,
    isLast: () => false,
    outlastsOthers: (state) => {
      checked.resolve(state);
      return state === 'good';
    },
    start: () => {
      waits += 1;
      return () => {
        waits -= 1;
      };
    },
    untilOut: () => new Promise(() => undefined),
    ...given,
  };
  const upstream = { confirmCanaryPatiently: () => sleep(CANARY_MS, canary) } as unknown as Upstream;
  const clock = new AttemptClock(upstream, 'https://harbor', { ms: 20, ignoreCanary: true, overtime }, control);
  const ended = new Promise<string>((resolve) =>
    control.signal.addEventListener('abort', () => {
      clock.stop();
      resolve(asUpstreamError(control.signal.reason).message);
    }),
  );
  return { clock, control, checked: checked.promise, ended, waits: () => waits };
}

t.test('a canary that is read at the very end has time for its answer', async (t) => {
  const { clock, control, checked, waits } = startLate('good');
  t.equal(await checked, 'good');
  t.equal(control.signal.aborted, false);
  t.equal(waits(), 1);
  clock.stop();
  t.equal(waits(), 0);
});

t.test('what ends the wait', async (t) => {
  t.match(await startLate('failing').ended, /no first byte within 20 ms/, 'a canary that fails');
  t.match(await startLate('none').ended, /within 20 ms/, 'no canary');
  const out = startLate('good', { untilOut: async () => undefined });
  t.match(await out.ended, /no first byte within/, 'an outage');
  t.match(await startLate('good', { ms: 30 }).ended, /no first byte within 30 ms/, 'the last deadline');
  t.match(await startLate('good', { ms: 20 }).ended, /within 20 ms/, 'a last deadline that is none');
  t.match(await startLate('good', { start: () => undefined }).ended, /within 20 ms/, 'too many waits');
  t.match(await startLate('good', { outlastsOthers: () => false }).ended, /within 20 ms/, 'another one goes on');
});
