import fc from 'fast-check';
import t from 'tap';
import { type MinimumRate, ThroughputMeter } from '../../src/splice/throughput.ts';

const limits = { stallMs: 5000, minRate: 1000, rateWindowMs: 10_000 };

/** `slow`: less than the rate over the window; `trickle`: next to nothing over the time of a stall. */
type Verdict = 'slow' | 'trickle' | false;
type Step =
  | [what: 'startWaiting' | 'stopWaiting', at: number]
  | [what: 'addBytes', at: number, bytes: number, verdict: Verdict];

const verdictOf = (missed: MinimumRate | undefined): Verdict =>
  missed !== undefined && (missed.ms === limits.rateWindowMs ? 'slow' : 'trickle');

const TABLE: [says: string, steps: Step[]][] = [
  [
    'less than the rate all the time',
    [
      ['startWaiting', 0],
      ['addBytes', 5000, 4000, false],
      ['addBytes', 9999, 4000, false],
      ['addBytes', 10_000, 1999, 'slow'],
    ],
  ],
  [
    'exactly the rate',
    [
      ['startWaiting', 0],
      ['addBytes', 10_000, 10_000, false],
      ['addBytes', 20_000, 10_000, false],
    ],
  ],
  [
    'all at once at the end of the window',
    [
      ['startWaiting', 0],
      ['addBytes', 10_000, 1, 'slow'],
    ],
  ],
  [
    'a window does not look at the one before',
    [
      ['startWaiting', 0],
      ['addBytes', 10_000, 1_000_000, false],
      ['addBytes', 20_000, 9999, 'slow'],
      ['addBytes', 30_000, 10_000, false],
    ],
  ],
  [
    'time of a client that reads slowly does not count',
    [
      ['startWaiting', 0],
      ['addBytes', 1000, 2000, false],
      ['stopWaiting', 1000],
      ['startWaiting', 100_000],
      ['addBytes', 101_000, 10, false],
      ['stopWaiting', 101_000],
      ['startWaiting', 900_000],
      ['addBytes', 907_999, 7900, false],
      ['addBytes', 908_000, 1, 'slow'],
    ],
  ],
  [
    'waiting twice is waiting once',
    [
      ['startWaiting', 0],
      ['startWaiting', 9000],
      ['addBytes', 10_000, 9999, 'slow'],
    ],
  ],
  [
    'holding twice is holding once',
    [
      ['startWaiting', 0],
      ['stopWaiting', 5000],
      ['stopWaiting', 20_000],
      ['startWaiting', 20_000],
      ['addBytes', 24_999, 400, 'trickle'],
      ['addBytes', 25_000, 9000, 'slow'],
    ],
  ],
  [
    'next to nothing, well before the window is over',
    [
      ['startWaiting', 0],
      ['addBytes', 4999, 311, false],
      ['addBytes', 5000, 1, 'trickle'],
      ['addBytes', 9999, 9687, false],
      ['addBytes', 10_000, 1, false],
    ],
  ],
  [
    'a little more than that',
    [
      ['startWaiting', 0],
      ['addBytes', 5000, 313, false],
      ['addBytes', 9999, 313, false],
      ['addBytes', 10_000, 0, 'slow'],
    ],
  ],
  [
    'next to nothing of who is asked for nothing, because the client takes it that slowly',
    [
      ['startWaiting', 0],
      ['addBytes', 10, 1, false],
      ['stopWaiting', 10],
      ['startWaiting', 60_000],
      ['addBytes', 60_010, 1, false],
      ['stopWaiting', 60_010],
      ['startWaiting', 900_000],
      ['addBytes', 900_010, 1, false],
    ],
  ],
];

for (const [says, steps] of TABLE) {
  t.test(says, async (t) => {
    const meter = new ThroughputMeter(limits);
    for (const step of steps) {
      if (step[0] === 'addBytes') {
        const [, at, bytes, verdict] = step;
        t.equal(verdictOf(meter.addBytes(bytes, at)), verdict, `${bytes} bytes after ${at} ms`);
      } else meter[step[0]](step[1]);
    }
  });
}

t.test('whoever is as fast as asked for is never slow, however long the client takes', async () => {
  const piece = fc.record({ waited: fc.integer({ min: 1, max: 5000 }), held: fc.nat(100_000), more: fc.nat(1000) });
  const property = fc.property(fc.array(piece, { maxLength: 50 }), (pieces) => {
    const meter = new ThroughputMeter(limits);
    let now = 0;
    return pieces.every(({ waited, held, more }) => {
      meter.startWaiting(now);
      now += waited;
      const missed = meter.addBytes(waited + more, now);
      meter.stopWaiting(now);
      now += held;
      return missed === undefined;
    });
  });
  fc.assert(property, { endOnFailure: true });
});

t.test('a rate of 0 is never too slow', async (t) => {
  const meter = new ThroughputMeter({ stallMs: 1, minRate: 0, rateWindowMs: 1 });
  meter.startWaiting(0);
  t.notOk(meter.addBytes(0, 1_000_000));
  const never = Number.POSITIVE_INFINITY;
  const endless = new ThroughputMeter({ stallMs: never, minRate: 1000, rateWindowMs: never });
  endless.startWaiting(0);
  t.notOk(endless.addBytes(0, 1_000_000));
});
