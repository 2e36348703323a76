import t from 'tap';
import { isoTime, monotonicNow, readClocks, wallTime } from '../../src/clock/clock.ts';
import { CLOCK_STEPS, MockedTime } from '../helpers/host-clock.ts';

t.test('it looks like the time of day, and takes no step with the clock of the host', async (t) => {
  t.ok(Math.abs(monotonicNow() - Date.now()) < 1000);
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    const time = new MockedTime(t);
    const began = monotonicNow();
    time.setHostClock(step);
    t.equal(monotonicNow(), began, name);
    time.pass(1000);
    t.equal(monotonicNow() - began, 1000, name);
  }
});

t.test('people are shown times by the clock of the host as it is now', async (t) => {
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    const time = new MockedTime(t);
    const at = monotonicNow();
    time.pass(60_000);
    const before = Date.parse(isoTime(at));
    time.setHostClock(step);
    t.ok(Math.abs(Date.parse(isoTime(at)) - before - step) < 1000, name);
    t.ok(Math.abs(readClocks().wall - Date.parse(isoTime(at)) - 60_000) <= 1, `${name}: a minute ago`);
  }
});

t.test('a time that is shown twice is the same text, though the two clocks round differently', async (t) => {
  const time = new MockedTime(t);
  const at = monotonicNow();
  const shown = isoTime(at);
  for (let look = 0; look < 20; look += 1) {
    time.pass(777);
    time.setHostClock(look % 2 === 0 ? 0.7 : -0.7);
    t.equal(isoTime(at), shown);
  }
});

t.test('wall time of a reading', async (t) => {
  t.equal(wallTime(900, { monotonic: 1000, wall: 5000 }), 4900);
  t.equal(isoTime(900, { monotonic: 1000, wall: 5000 }), '1970-01-01T00:00:04.900Z');
});
