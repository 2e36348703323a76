import t from 'tap';
import { type WaitingTask, WaitingTasks } from '../../src/replication/waiting-tasks.ts';

interface Task extends WaitingTask {
  name: string;
}

const task = (name: string, more: Partial<Task> = {}): Task => ({
  name,
  lane: 'backlog',
  repository: name.replace(/\d+$/, ''),
  since: 0,
  ...more,
});
const anything = () => true;

function taken(waiting: WaitingTasks<Task>, mayStart: (repository: string) => boolean = anything): string[] {
  const names: string[] = [];
  for (let next = waiting.take('backlog', mayStart); next; next = waiting.take('backlog', mayStart))
    names.push(next.name);
  return names;
}

t.test('repositories take turns, and in each the oldest task is first', async (t) => {
  const waiting = new WaitingTasks<Task>();
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1', 'b2']) waiting.add(task(name));
  waiting.add(task('a0', { since: -1 }));
  t.equal(waiting.size, 7);
  t.strictSame(taken(waiting), ['a0', 'b1', 'c1', 'a1', 'b2', 'a2', 'a3']);
  t.equal(waiting.size, 0);
});

t.test('lanes are apart, and some repositories may have to wait', async (t) => {
  const waiting = new WaitingTasks<Task>();
  const pushed = task('a1', { lane: 'fresh' });
  waiting.add(pushed);
  waiting.add(task('a2'));
  waiting.add(task('b1'));
  t.strictSame(
    taken(waiting, (repository) => repository !== 'a'),
    ['b1'],
  );
  t.equal(waiting.sizeOf('backlog'), 1);
  t.equal(waiting.take('failed', anything), undefined);
  t.equal(waiting.take('fresh', anything), pushed);
  waiting.add(task('z1'));
  waiting.clear();
  t.strictSame([waiting.size, taken(waiting)], [0, []]);
});

t.test('a task is removed', async (t) => {
  const waiting = new WaitingTasks<Task>();
  const [one, two] = [task('a1'), task('a2')];
  waiting.add(one);
  waiting.add(two);
  waiting.remove(one);
  waiting.remove(one);
  waiting.remove(task('b1'));
  t.strictSame(taken(waiting), ['a2']);
});

t.test('what the repository with the most tasks has too much', async (t) => {
  const waiting = new WaitingTasks<Task>();
  t.equal(waiting.surplusBeside('a'), undefined);
  for (const name of ['a1', 'a2', 'b1']) waiting.add(task(name));
  t.equal(waiting.surplusBeside('b')?.name, 'a2');
  t.equal(waiting.surplusBeside('c')?.name, 'a2');
  t.equal(waiting.surplusBeside('a'), undefined);
  waiting.add(task('b2', { lane: 'fresh' }));
  waiting.add(task('b3', { lane: 'fresh' }));
  t.equal(waiting.surplusBeside('a'), undefined, 'no one has more');
});
