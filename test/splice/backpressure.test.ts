import t from 'tap';
import { Brake } from '../../src/splice/backpressure.ts';

type Step = ['hold', full: boolean, behind: boolean] | ['hasRoom' | 'caughtUp' | 'free'];

const TABLE: [says: string, steps: Step[], releases: number][] = [
  ['nothing is held', [['hold', false, false], ['hasRoom'], ['caughtUp']], 0],
  ['the receiver was full', [['hold', true, false], ['hasRoom']], 1],
  ['room is told of twice', [['hold', true, false], ['hasRoom'], ['hasRoom']], 1],
  ['the check was behind', [['hold', false, true], ['caughtUp']], 1],
  ['the check catches up, but the receiver is full', [['hold', true, true], ['caughtUp']], 0],
  ['the receiver has room, but the check is behind', [['hold', true, true], ['hasRoom']], 0],
  ['both, in turn', [['hold', true, true], ['hasRoom'], ['caughtUp']], 1],
  ['both, the other way round', [['hold', true, true], ['caughtUp'], ['hasRoom']], 1],
  [
    'an old word of the check does not help a receiver that is full',
    [['hold', false, true], ['hold', true, false], ['caughtUp']],
    0,
  ],
  ['somebody else came, who is not held', [['hold', true, false], ['free'], ['hasRoom']], 0],
  ['again and again', [['hold', true, false], ['hasRoom'], ['hold', true, false], ['hasRoom']], 2],
];

t.test('who is held until when', async (t) => {
  for (const [says, steps, releases] of TABLE) {
    let released = 0;
    const brake = new Brake(() => {
      released += 1;
    });
    for (const step of steps) {
      if (step[0] !== 'hold') brake[step[0]]();
      else t.equal(brake.hold(step[1], step[2]), step[1] || step[2]);
    }
    t.equal(released, releases, says);
  }
});
