import t from 'tap';
import { Backpressure } from '../../src/splice/backpressure.ts';

type Step = ['update', full: boolean, behind: boolean] | ['sinkDrained' | 'checkDrained' | 'reset'];

const TABLE: [says: string, steps: Step[], resumes: number][] = [
  ['nothing is paused', [['update', false, false], ['sinkDrained'], ['checkDrained']], 0],
  ['the sink was full', [['update', true, false], ['sinkDrained']], 1],
  ['room is told of twice', [['update', true, false], ['sinkDrained'], ['sinkDrained']], 1],
  ['the check was behind', [['update', false, true], ['checkDrained']], 1],
  ['the check catches up, but the sink is full', [['update', true, true], ['checkDrained']], 0],
  ['the sink has room, but the check is behind', [['update', true, true], ['sinkDrained']], 0],
  ['both, in turn', [['update', true, true], ['sinkDrained'], ['checkDrained']], 1],
  ['both, the other way round', [['update', true, true], ['checkDrained'], ['sinkDrained']], 1],
  [
    'an old word of the check does not help a sink that is full',
    [['update', false, true], ['update', true, false], ['checkDrained']],
    0,
  ],
  ['the next leg is not paused', [['update', true, false], ['reset'], ['sinkDrained']], 0],
  ['again and again', [['update', true, false], ['sinkDrained'], ['update', true, false], ['sinkDrained']], 2],
];

t.test('a source is paused while the sink is full or the check is behind', async (t) => {
  for (const [says, steps, resumes] of TABLE) {
    let resumed = 0;
    const backpressure = new Backpressure(() => {
      resumed += 1;
    });
    for (const step of steps) {
      if (step[0] !== 'update') backpressure[step[0]]();
      else t.equal(backpressure.update(step[1], step[2]), step[1] || step[2]);
    }
    t.equal(resumed, resumes, says);
  }
});
