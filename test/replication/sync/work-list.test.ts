import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { WorkList } from '../../../src/replication/sync/work-list.ts';

t.test('in turn, no more at once than may be, and each batch told when it is done', async (t) => {
  const begun: number[] = [];
  const open = new Map<number, () => void>();
  const list = new WorkList<number>(2, (item) => {
    begun.push(item);
    return new Promise((resolve) => open.set(item, resolve));
  });
  const end = async (item: number) => {
    open.get(item)?.();
    await turn();
  };
  const done: string[] = [];
  void list.runAll([1, 2, 3]).then(() => done.push('first'));
  void list.runAll([4]).then(() => done.push('second'));
  await list.runAll([]);
  t.strictSame(begun, [1, 2]);
  await end(2);
  t.strictSame(begun, [1, 2, 3]);
  await end(1);
  await end(4);
  t.strictSame([begun, done], [[1, 2, 3, 4], ['second']]);
  await end(3);
  t.strictSame(done, ['second', 'first']);
});

t.test('a producer waits until there is room', async (t) => {
  const open: (() => void)[] = [];
  const list = new WorkList<number>(1, () => new Promise((resolve) => open.push(resolve)));
  const all = list.runAll([1, 2, 3, 4]);
  let room = false;
  const waiting = list.waitForRoom(2).then(() => {
    room = true;
  });
  await turn();
  t.equal(room, false, 'three wait');
  open.shift()?.();
  await turn();
  t.equal(room, false, 'two wait');
  open.shift()?.();
  await waiting;
  await list.waitForRoom(2);
  while (open.length > 0) {
    open.shift()?.();
    await turn();
  }
  await all;
});
