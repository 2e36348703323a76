import t from 'tap';
import { resolveRoute } from '../../src/failover/rewrite.ts';
import { copyRoutes } from '../../src/replication/copy-route.ts';
import type { CopyTask } from '../../src/replication/task-queue.ts';
import { type FailedTask, PRIORITY, TaskQueue, type TaskQueueOptions } from '../../src/replication/task-queue.ts';

const route = resolveRoute({
  prefix: '',
  push: 'harbor',
  pull: [
    { upstream: 'harbor', replicate: false },
    { upstream: 'gcr', replicate: true },
  ],
  onAbsent: 'stop',
  staleTags: 'warn',
  anonymous: false,
  deletions: 'keep',
});
const [copyRoute] = copyRoutes([route]);

function task(reference: string): CopyTask {
  if (!copyRoute) throw new Error('no way');
  return { copyRoute, repository: { source: 'app', target: 'app' }, reference, kind: 'copy' };
}

/** A queue whose work is held up until it is let go. */
function made(over: Partial<TaskQueueOptions> = {}) {
  const clock = { now: 1_000_000 };
  const begun: string[] = [];
  const failures: FailedTask[] = [];
  const failing = new Set<string>();
  const held: (() => void)[] = [];
  const state = { hold: false };
  const queue = new TaskQueue({
    concurrency: 1,
    work: async ({ reference }) => {
      begun.push(reference);
      if (state.hold) await new Promise<void>((resolve) => held.push(resolve));
      if (failing.has(reference)) throw new Error(`no ${reference}`);
    },
    isRetryable: () => true,
    onFailure: (failed) => failures.push(failed),
    now: () => clock.now,
    ...over,
  });
  const letGo = () => {
    for (const go of held.splice(0)) go();
  };
  return { queue, clock, begun, failures, failing, state, letGo };
}

t.test('hints go first, each thing once', async (t) => {
  const { queue, begun, state, letGo } = made();
  state.hold = true;
  queue.add(task('first'), PRIORITY.reconcile);
  for (const name of ['r1', 'r2', 'r1']) queue.add(task(name), PRIORITY.reconcile);
  queue.add(task('hint'), PRIORITY.hint);
  t.match(queue.size, { running: 1, waiting: 3 });
  state.hold = false;
  letGo();
  await queue.onIdle();
  t.strictSame(begun, ['first', 'hint', 'r1', 'r2']);
  t.match(queue.counts, { failed: 0, dropped: 0 });
});

t.test('the oldest task goes first, and a hint raises the priority of a waiting task', async (t) => {
  const { queue, begun, state, letGo, clock } = made();
  state.hold = true;
  queue.add(task('first'), PRIORITY.reconcile);
  queue.add(task('new'), PRIORITY.reconcile);
  queue.add(task('old'), PRIORITY.reconcile, clock.now - 60_000);
  queue.add(task('oldest'), PRIORITY.reconcile, clock.now - 3_600_000);
  queue.add(task('hinted'), PRIORITY.reconcile);
  queue.add(task('hinted'), PRIORITY.hint);
  state.hold = false;
  letGo();
  await queue.onIdle();
  t.strictSame(begun, ['first', 'hinted', 'oldest', 'old', 'new']);
});

t.test('a task that is added while it runs is done once more', async (t) => {
  const { queue, begun, state, letGo } = made();
  state.hold = true;
  queue.add(task('a'), PRIORITY.hint);
  await new Promise((resolve) => setImmediate(resolve));
  for (let hints = 0; hints < 5; hints += 1) queue.add(task('a'), PRIORITY.hint);
  state.hold = false;
  letGo();
  await queue.onIdle();
  t.strictSame(begun, ['a', 'a']);
});

t.test('a failed task is kept with its reason, and retried after longer and longer pauses', async (t) => {
  const { queue, clock, begun, failing, failures } = made();
  failing.add('a');
  queue.add(task('a'), PRIORITY.hint);
  await queue.onIdle();
  t.match(queue.failed, [{ tries: 1, reason: 'no a', since: 1_000_000, retryable: true }]);
  const waits: number[] = [];
  for (let tries = 0; tries < 9; tries += 1) {
    const { nextAt = 0, at = 0 } = queue.failed[0] ?? {};
    waits.push(nextAt - at);
    clock.now = nextAt - 1;
    queue.retry();
    await queue.onIdle();
    clock.now = nextAt;
    queue.retry();
    await queue.onIdle();
  }
  t.equal(begun.length, 10, 'never too soon');
  t.strictSame(
    waits,
    [15, 30, 60, 120, 240, 480, 900, 900, 900].map((seconds) => seconds * 1000),
  );
  t.equal(failures.at(-1)?.since, 1_000_000, 'since when it was to be done');
  failing.clear();
  queue.add(task('a'), PRIORITY.hint);
  await queue.onIdle();
  t.strictSame(queue.failed, []);
});

t.test('a retry does not add the task again', async (t) => {
  const { queue, clock, begun, failing, state, letGo } = made();
  failing.add('a');
  queue.add(task('a'), PRIORITY.hint);
  await queue.onIdle();
  state.hold = true;
  clock.now = queue.failed[0]?.nextAt ?? 0;
  queue.retry();
  await new Promise((resolve) => setImmediate(resolve));
  // A copy may take minutes, and it is looked every second.
  for (let ticks = 0; ticks < 5; ticks += 1) queue.retry();
  state.hold = false;
  letGo();
  await queue.onIdle();
  t.strictSame(begun, ['a', 'a'], 'the pause after the second failure is kept');
  t.match(queue.failed, [{ tries: 2 }]);
});

t.test('a task that failed for good waits until it is added again or settled', async (t) => {
  const { queue, clock, begun, failing } = made({ isRetryable: () => false });
  failing.add('a').add('b');
  for (const name of ['a', 'b']) queue.add(task(name), PRIORITY.hint);
  await queue.onIdle();
  clock.now += 10_000_000;
  queue.retry();
  await queue.onIdle();
  t.equal(begun.length, 2);
  const { at = 0 } = queue.failed[1] ?? {};
  queue.markInSync(task('b'), at);
  t.equal(queue.failed.length, 2, 'what was looked at before it failed says nothing');
  queue.markInSync(task('b'), at + 1);
  t.match(queue.failed, [{ task: { reference: 'a' }, retryable: false }]);
  if (!copyRoute) throw new Error('no way');
  queue.retryAll(copyRoute, at);
  queue.retryAll({ ...copyRoute }, at + 1);
  await queue.onIdle();
  t.equal(begun.length, 2, 'nothing of another way, nor what failed since');
  queue.retryAll(copyRoute, at + 1);
  await queue.onIdle();
  t.equal(begun.length, 3);
});

t.test('it is bounded, and stops', async (t) => {
  const { queue, begun, state, letGo } = made();
  state.hold = true;
  for (let number = 0; number < 20_010; number += 1) queue.add(task(String(number)), PRIORITY.hint);
  t.match(queue.size, { waiting: 19_999, running: 1 });
  t.equal(queue.counts.dropped, 10);
  const stopped = queue.stop();
  letGo();
  await stopped;
  t.equal(begun.length, 1);
  queue.add(task('late'), PRIORITY.hint);
  t.match([...queue.queued], []);
  t.equal(queue.counts.dropped, 11);
});
