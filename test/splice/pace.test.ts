import fc from 'fast-check';
import t from 'tap';
import { type Floor, Pace } from '../../src/splice/pace.ts';

const limits = { stallMs: 5000, minRate: 1000, rateWindowMs: 10_000 };

/** `slow`: less than the rate over the window; `trickle`: next to nothing over the time of a stall. */
type Verdict = 'slow' | 'trickle' | false;
type Step = [what: 'wait' | 'hold', at: number] | [what: 'took', at: number, bytes: number, verdict: Verdict];

const verdictOf = (missed: Floor | undefined): Verdict =>
  missed !== undefined && (missed.ms === limits.rateWindowMs ? 'slow' : 'trickle');

const TABLE: [says: string, steps: Step[]][] = [
  [
    'less than the rate all the time',
    [
      ['wait', 0],
      ['took', 5000, 4000, false],
      ['took', 9999, 4000, false],
      ['took', 10_000, 1999, 'slow'],
    ],
  ],
  [
    'exactly the rate',
    [
      ['wait', 0],
      ['took', 10_000, 10_000, false],
      ['took', 20_000, 10_000, false],
    ],
  ],
  [
    'all at once at the end of the window',
    [
      ['wait', 0],
      ['took', 10_000, 1, 'slow'],
    ],
  ],
  [
    'a window does not look at the one before',
    [
      ['wait', 0],
      ['took', 10_000, 1_000_000, false],
      ['took', 20_000, 9999, 'slow'],
      ['took', 30_000, 10_000, false],
    ],
  ],
  [
    'time of a client that reads slowly does not count',
    [
      ['wait', 0],
      ['took', 1000, 2000, false],
      ['hold', 1000],
      ['wait', 100_000],
      ['took', 101_000, 10, false],
      ['hold', 101_000],
      ['wait', 900_000],
      ['took', 907_999, 7900, false],
      ['took', 908_000, 1, 'slow'],
    ],
  ],
  [
    'waiting twice is waiting once',
    [
      ['wait', 0],
      ['wait', 9000],
      ['took', 10_000, 9999, 'slow'],
    ],
  ],
  [
    'holding twice is holding once',
    [
      ['wait', 0],
      ['hold', 5000],
      ['hold', 20_000],
      ['wait', 20_000],
      ['took', 24_999, 400, 'trickle'],
      ['took', 25_000, 9000, 'slow'],
    ],
  ],
  [
    'next to nothing, well before the window is over',
    [
      ['wait', 0],
      ['took', 4999, 311, false],
      ['took', 5000, 1, 'trickle'],
      ['took', 9999, 9687, false],
      ['took', 10_000, 1, false],
    ],
  ],
  [
    'a little more than that',
    [
      ['wait', 0],
      ['took', 5000, 313, false],
      ['took', 9999, 313, false],
      ['took', 10_000, 0, 'slow'],
    ],
  ],
  [
    'next to nothing of who is asked for nothing, because the client takes it that slowly',
    [
      ['wait', 0],
      ['took', 10, 1, false],
      ['hold', 10],
      ['wait', 60_000],
      ['took', 60_010, 1, false],
      ['hold', 60_010],
      ['wait', 900_000],
      ['took', 900_010, 1, false],
    ],
  ],
];

for (const [says, steps] of TABLE) {
  t.test(says, async (t) => {
    const pace = new Pace(limits);
    for (const step of steps) {
      if (step[0] === 'took') {
        const [, at, bytes, verdict] = step;
        t.equal(verdictOf(pace.took(bytes, at)), verdict, `${bytes} bytes after ${at} ms`);
      } else pace[step[0]](step[1]);
    }
  });
}

t.test('whoever is as fast as asked for is never slow, however long the client takes', async () => {
  const piece = fc.record({ waited: fc.integer({ min: 1, max: 5000 }), held: fc.nat(100_000), more: fc.nat(1000) });
  const property = fc.property(fc.array(piece, { maxLength: 50 }), (pieces) => {
    const pace = new Pace(limits);
    let now = 0;
    return pieces.every(({ waited, held, more }) => {
      pace.wait(now);
      now += waited;
      const missed = pace.took(waited + more, now);
      pace.hold(now);
      now += held;
      return missed === undefined;
    });
  });
  fc.assert(property, { endOnFailure: true });
});

t.test('a rate of 0 is never too slow', async (t) => {
  const pace = new Pace({ stallMs: 1, minRate: 0, rateWindowMs: 1 });
  pace.wait(0);
  t.notOk(pace.took(0, 1_000_000));
  const never = Number.POSITIVE_INFINITY;
  const endless = new Pace({ stallMs: never, minRate: 1000, rateWindowMs: never });
  endless.wait(0);
  t.notOk(endless.took(0, 1_000_000));
});
