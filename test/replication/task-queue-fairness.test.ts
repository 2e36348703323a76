import { mock } from 'node:test';
import t, { type Test } from 'tap';
import { CopyError } from '../../src/replication/copy-error.ts';
import type { CopyTask } from '../../src/replication/task-queue.ts';
import { PRIORITY, TaskQueue, type TaskQueueOptions } from '../../src/replication/task-queue.ts';
import { until } from '../helpers/until.ts';

const copyRoute = { name: 'harbor -> gcr' } as CopyTask['copyRoute'];
const NOW = 1_000_000;

const task = (repository: string, reference = '1'): CopyTask => ({
  copyRoute,
  repository: { source: repository, target: repository },
  reference,
  kind: 'copy',
});

/** A queue whose tasks hang or fail as their repositories are named, with a clock of its own. */
function made(t: Test, over: Partial<TaskQueueOptions> = {}) {
  const clock = { now: NOW };
  const begun: string[] = [];
  const held = new Map<string, () => void>();
  const failures: string[] = [];
  const state = { failing: /^poison/, hanging: /^hung/, error: (): Error => new CopyError('500', { retryable: true }) };
  const queue = new TaskQueue({
    concurrency: 4,
    work: async ({ repository: { source }, reference }, signal) => {
      const name = `${source}:${reference}`;
      begun.push(name);
      if (state.hanging.test(source))
        await new Promise<void>((resolve) => {
          held.set(name, resolve);
          signal.addEventListener('abort', () => resolve());
        });
      else await new Promise((resolve) => setImmediate(resolve));
      if (state.failing.test(source)) throw state.error();
    },
    isRetryable: (error) => error instanceof CopyError && error.retryable,
    onFailure: ({ task: { repository }, reason }) => failures.push(`${repository.source} ${reason}`),
    now: () => clock.now,
    ...over,
  });
  t.teardown(() => queue.stop());
  /** Adds a task of each repository. */
  const add = (repositories: readonly string[], lane: 'fresh' | 'backlog' = 'fresh') => {
    for (const repository of repositories) queue.add(task(repository), lane);
  };
  return { queue, clock, begun, held, failures, state, add };
}

const many = (name: string, count: number) => Array.from({ length: count }, (_, number) => `${name}${number}`);

t.test('a repository with 5000 tasks delays no other', async (t) => {
  for (const lane of ['fresh', 'backlog'] as const) {
    const { queue, begun, add } = made(t, { concurrency: 1 });
    for (const reference of many('', 5000)) queue.add(task('full', reference), lane);
    add(['good'], lane);
    await until(() => begun.includes('good:1'));
    t.ok(begun.indexOf('good:1') <= 3, `${lane}: after ${begun.indexOf('good:1')} tasks`);
    await queue.stop();
  }
});

t.test('a task that fails frees its slot at once', async (t) => {
  const { queue, begun, failures, add } = made(t);
  add(many('poison', 20));
  add(['good']);
  await queue.onIdle();
  t.equal(begun.at(-1), 'good:1');
  t.equal(begun.length, 21, 'each was tried once');
  t.equal(failures.length, 20);
  t.equal(queue.failed.length, 20);
});

t.test('what hangs delays a push by a moment, and never more than a share of what comparisons found', async (t) => {
  const { queue, clock, begun, add } = made(t);
  add(many('hung', 20));
  add(['good']);
  const began = clock.now;
  while (!begun.includes('good:1')) {
    const running = queue.size.running;
    clock.now += 250;
    await until(() => queue.size.running > running || begun.includes('good:1'));
  }
  t.ok(clock.now - began <= 1250, `${clock.now - began} ms`);

  const other = made(t);
  other.add(many('hung', 20), 'backlog');
  await until(() => other.begun.length === 4);
  other.clock.now += 500;
  await until(() => other.begun.length === 8);
  other.clock.now += 500;
  other.add(['good'], 'backlog');
  other.add(['pushed']);
  await until(() => other.begun.includes('pushed:1'));
  t.equal(other.begun.length, 9, 'comparisons start only so many beside what hangs');
});

t.test('a task that lasts is noticed in time, whatever else begins and ends', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const { clock, begun, held, add } = made(t, { concurrency: 1 });
  const pass = async (ms: number) => {
    clock.now += ms;
    mock.timers.tick(ms);
    await settled();
  };
  add(['hung1', 'hung2']);
  await pass(249);
  add(['hung3']);
  t.equal(begun.length, 1);
  await pass(1);
  t.strictSame(begun, ['hung1:1', 'hung2:1']);
  await pass(200);
  held.get('hung1:1')?.();
  await settled();
  t.equal(begun.length, 2);
  await pass(50);
  t.equal(begun.length, 3);
});

t.test('one repository takes a quarter of the places beside long tasks', async (t) => {
  const { queue, clock, begun, add } = made(t);
  for (const reference of many('', 100)) queue.add(task('hung', reference), 'fresh');
  for (let started = 0; started < 16; ) {
    started = Math.min(16, started + 4);
    await until(() => begun.length === started);
    clock.now += 500;
  }
  add(['good']);
  await until(() => begun.includes('good:1'));
  t.equal(begun.filter((name) => name.startsWith('hung')).length, 16);
});

t.test('pushes go first, and nothing waits for ever', async (t) => {
  const { queue, clock, begun, add } = made(t, { concurrency: 1 });
  add(['poison']);
  await queue.onIdle();
  clock.now += 15_000;
  add(many('pushed', 30));
  add(many('found', 3), 'backlog');
  queue.retry();
  await queue.onIdle();
  const place = (name: string) => begun.indexOf(`${name}:1`);
  t.ok(place('found0') < 5 && place('found2') < 15, begun.join());
  t.ok(begun.lastIndexOf('poison:1') < 6);
  t.ok(place('pushed2') < 6);
});

t.test('what is known to fail takes a quarter of the places', async (t) => {
  const { queue, clock, begun, held, state, add } = made(t);
  for (const reference of many('', 20)) queue.add(task('poison', reference), 'fresh');
  await queue.onIdle();
  clock.now += 15_000;
  state.hanging = /^poison/;
  queue.retry();
  await until(() => held.size === 1);
  add(many('found', 20), 'backlog');
  await until(() => begun.includes('found19:1'));
  t.equal(held.size, 1);
});

t.test('a task that a comparison finds, and that is known to fail, waits behind the others', async (t) => {
  const { queue, begun, add } = made(t, { concurrency: 1 });
  add(['poison']);
  await queue.onIdle();
  begun.length = 0;
  add(['first', 'poison', 'a', 'b'], 'backlog');
  await queue.onIdle();
  t.equal(begun.indexOf('poison:1'), 2, begun.join());
});

t.test('a fallback that fails whatever the image is asked for one copy at a time', async (t) => {
  const { queue, clock, begun, state, add } = made(t);
  state.failing = /./;
  add(many('r', 100), 'backlog');
  await until(() => queue.backingOffSince !== undefined);
  await until(() => queue.size.running === 0);
  const before = begun.length;
  t.ok(before <= 8, `${before} copies`);
  add(['pushed']);
  await until(() => begun.includes('pushed:1'));
  t.equal(begun.length, before + 1, 'a push is tried once');
  for (let probes = 1; probes <= 3; probes += 1) {
    clock.now += 2000;
    await until(() => begun.length === before + 1 + probes);
  }
  state.failing = /^none/;
  clock.now += 2000;
  await until(() => queue.backingOffSince === undefined);
  queue.retry();
  await queue.onIdle();
  t.ok(queue.failed.length <= 4, 'what failed because the fallback did is tried at once');
});

t.test('a pause that one repository is asked for is kept, and delays no other', async (t) => {
  const { queue, clock, begun, state, add } = made(t);
  state.error = () => new CopyError('429', { retryable: true, retryAfterMs: 60_000 });
  for (const reference of many('', 10)) queue.add(task('poison', reference), 'fresh');
  add(['good']);
  await until(() => begun.includes('good:1'));
  t.ok(begun.length <= 5, `${begun.length}`);
  t.match(queue.failed[0], { nextAt: NOW + 60_000 });
  state.failing = /^none/;
  clock.now += 60_000;
  queue.retry();
  await queue.onIdle();
  t.strictSame(queue.failed, []);
});

t.test('nothing starts while an upstream is not ready', async (t) => {
  let ready = false;
  const { queue, begun, add } = made(t, { isReady: () => ready });
  add(['good']);
  t.match(queue.size, { waiting: 1, running: 0 });
  ready = true;
  await until(() => begun.length === 1);
});

t.test('a full queue drops tasks of the repository that has the most', async (t) => {
  const { queue, begun, add } = made(t, { isReady: () => ready });
  let ready = false;
  for (const reference of many('', 20_000)) queue.add(task('full', reference), PRIORITY.reconcile);
  add(['good']);
  t.equal(queue.counts.dropped, 1);
  queue.add(task('full', 'more'), PRIORITY.reconcile);
  t.equal(queue.counts.dropped, 2);
  ready = true;
  queue.retry();
  await until(() => begun.includes('good:1'));
});

t.test('a task that is pushed while it runs takes its turn again', async (t) => {
  const { begun, held, add } = made(t, { concurrency: 1 });
  add(['hung']);
  add(['hung', 'good']);
  held.get('hung:1')?.();
  await until(() => begun.length === 3);
  t.strictSame(begun, ['hung:1', 'good:1', 'hung:1']);
});
