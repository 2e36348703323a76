import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { mapLimit } from '../../src/replication/map-limit.ts';

t.test('all of them, so many at once', async (t) => {
  const done: number[] = [];
  let [running, most] = [0, 0];
  await mapLimit([1, 2, 3, 4, 5, 6, 7], 3, async (number) => {
    running += 1;
    most = Math.max(most, running);
    await turn();
    running -= 1;
    done.push(number);
  });
  t.equal(most, 3);
  t.strictSame(done.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
  await mapLimit([], 3, async () => void t.fail('nothing to do'));
});

t.test('after a failure none is begun, and those under way end first', async (t) => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = async (number: number) => {
    begun.push(number);
    if (number === 2) throw new Error('first');
    await turn();
    await turn();
    ended.push(number);
    if (number === 1) throw new Error('second');
  };
  await t.rejects(mapLimit([1, 2, 3, 4], 2, work), { message: 'first' });
  t.strictSame(begun, [1, 2]);
  t.strictSame(ended, [1], 'no task continues after the end');
});

t.test('one that throws at once', async (t) => {
  const throws = () => {
    throw new Error('at once');
  };
  await t.rejects(mapLimit([1, 2], 2, throws), { message: 'at once' });
});
