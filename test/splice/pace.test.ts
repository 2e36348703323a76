import fc from 'fast-check';
import t from 'tap';
import { Pace } from '../../src/splice/pace.ts';

const limits = { stallMs: 5000, minRate: 1000, rateWindowMs: 10_000 };

type Step = [what: 'wait' | 'hold', at: number] | [what: 'took', at: number, bytes: number, slow: boolean];

const TABLE: [says: string, steps: Step[]][] = [
  [
    'less than the rate all the time',
    [
      ['wait', 0],
      ['took', 5000, 4000, false],
      ['took', 9999, 4000, false],
      ['took', 10_000, 1999, true],
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
      ['took', 10_000, 1, true],
    ],
  ],
  [
    'a window does not look at the one before',
    [
      ['wait', 0],
      ['took', 10_000, 1_000_000, false],
      ['took', 20_000, 9999, true],
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
      ['took', 908_000, 1, true],
    ],
  ],
  [
    'waiting twice is waiting once',
    [
      ['wait', 0],
      ['wait', 9000],
      ['took', 10_000, 9999, true],
    ],
  ],
  [
    'holding twice is holding once',
    [
      ['wait', 0],
      ['hold', 5000],
      ['hold', 20_000],
      ['wait', 20_000],
      ['took', 24_999, 1, false],
      ['took', 25_000, 1, true],
    ],
  ],
];

for (const [says, steps] of TABLE) {
  t.test(says, async (t) => {
    const pace = new Pace(limits);
    for (const step of steps) {
      if (step[0] === 'took') {
        const [, at, bytes, slow] = step;
        t.equal(pace.took(bytes, at), slow, `${bytes} bytes after ${at} ms`);
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
      const slow = pace.took(waited + more, now);
      pace.hold(now);
      now += held;
      return !slow;
    });
  });
  fc.assert(property, { endOnFailure: true });
});

t.test('a rate of 0 is never too slow', async (t) => {
  const pace = new Pace({ stallMs: 1, minRate: 0, rateWindowMs: 1 });
  pace.wait(0);
  t.notOk(pace.took(0, 1_000_000));
  const endless = new Pace({ stallMs: 1, minRate: 1000, rateWindowMs: Number.POSITIVE_INFINITY });
  endless.wait(0);
  t.notOk(endless.took(0, 1_000_000));
});
