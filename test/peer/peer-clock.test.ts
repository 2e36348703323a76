import fc from 'fast-check';
import t from 'tap';
import { PeerClock } from '../../src/peer/peer-clock.ts';

t.test('the middle of the first answer counts, and stays in use while later answers allow it', async (t) => {
  const clock = new PeerClock();
  t.equal(clock.toLocal(1000, 50_000, 50_100), 50_050);
  t.equal(clock.toLocal(2000, 51_040, 51_060), 51_050, 'a quick answer agrees');
  t.equal(clock.toLocal(3000, 51_000, 54_900), 52_050, 'a slow one changes nothing');
});

t.test('a quick answer corrects what a slow one left open', async (t) => {
  const clock = new PeerClock();
  t.equal(clock.toLocal(0, 0, 3000), 1500);
  t.equal(clock.toLocal(10_000, 10_100, 10_102), 10_102);
  t.equal(clock.toLocal(20_000, 20_000, 23_000), 20_102);
});

t.test('a host that slept, or whose clock drifts, is believed by its newest answer', async (t) => {
  const clock = new PeerClock();
  clock.toLocal(1000, 5000, 5010);
  t.equal(clock.toLocal(2000, 3_606_000, 3_606_010), 3_606_000);
  t.equal(clock.toLocal(3000, 3_607_003, 3_607_006), 3_607_003);
});

t.test('how far a time is most likely mistaken', async (t) => {
  const clock = new PeerClock();
  clock.toLocal(0, 0, 900, true);
  t.match(clock.bounds(0), { earliest: 0, latest: 900, doubt: 900 }, 'nothing was answered at once yet');
  clock.toLocal(10_000, 10_100, 10_102);
  t.match(clock.bounds(10_000), { earliest: 10_100, latest: 10_102, doubt: 2 });
  // The clocks have drifted by a millisecond, and only the newest answer counts, whose question stood.
  clock.toLocal(20_000, 19_200, 20_099, true);
  t.match(
    clock.bounds(20_000),
    { earliest: 19_200, latest: 20_099, doubt: 4 },
    'the bounds are wide, and the doubt is not',
  );
  clock.toLocal(30_000, 30_090, 30_120);
  t.match(clock.bounds(30_000), { doubt: 9 }, 'never beyond the bounds');
});

t.test('property: between question and answer, and in the order of the other clock', async () => {
  const exchange = fc.record({ pause: fc.nat(60_000), there: fc.nat(3000), back: fc.nat(3000) });
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.array(exchange, { maxLength: 30 }), (difference, exchanges) => {
      const clock = new PeerClock();
      let now = 1e9;
      let last = Number.NEGATIVE_INFINITY;
      for (const { pause, there, back } of exchanges) {
        const asked = now + pause;
        const theirs = asked + there - difference;
        now = asked + there + back;
        const local = clock.toLocal(theirs, asked, now);
        if (local < asked || local > now || local < last) return false;
        last = local;
      }
      return true;
    }),
  );
});
