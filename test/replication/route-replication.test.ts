import t, { type Test } from 'tap';
import { replicationSchema } from '../../src/config/replication-schema.ts';
import { resolveRoute } from '../../src/failover/rewrite.ts';
import type { UpstreamView } from '../../src/failover/view.ts';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { copyRoutes } from '../../src/replication/copy-route.ts';
import { PulledLog } from '../../src/replication/coverage/pulled-log.ts';
import { RouteReplication } from '../../src/replication/route-replication.ts';
import { TaskQueue } from '../../src/replication/task-queue.ts';
import { remoteRegistry } from '../helpers/remote-registry.ts';
import { upstream } from '../status/snapshot/views.ts';

const never = new AbortController().signal;
const routes = [
  resolveRoute({
    prefix: 'library/',
    push: 'harbor',
    pull: [
      { upstream: 'harbor', replicate: false },
      { upstream: 'gcr', replicate: true },
    ],
    onAbsent: 'stop',
    staleTags: 'warn',
    deletions: 'keep',
    anonymous: false,
  }),
];

/** One way between two registries; nothing is copied by it. */
async function made(t: Test, more: Partial<UpstreamView> = {}, work = async () => {}, isRetryable = () => true) {
  const [primary, fallback] = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const harbor = remoteRegistry(t, 'harbor', primary.url, { limit: 20 });
  const gcr = remoteRegistry(t, 'gcr', fallback.url, { limit: 20 });
  const ledger = new Ledger({ tags: 1000, keep: 1_000_000 });
  t.teardown(() => ledger.close());
  const canary: { state: 'good' | 'failing' | 'none' } = { state: 'good' };
  const tasks = new TaskQueue({ concurrency: 1, work, isRetryable, onFailure: () => {} });
  const [copyRoute] = copyRoutes(routes);
  if (!copyRoute) throw new Error('nothing is copied');
  const route = new RouteReplication(copyRoute, {
    routes,
    config: replicationSchema.parse({}),
    registry: (name) => (name === 'harbor' ? harbor : gcr),
    registryForWatch: (name) => (name === 'harbor' ? harbor : gcr),
    view: (name) => upstream(name, more),
    confirmCanary: async () => {
      looked.resolve();
      return canary.state;
    },
    ledger,
    isLedgerRead: () => true,
    pulls: new PulledLog(),
    tasks,
    onReconcile: () => {},
  });
  const looked = Promise.withResolvers<void>();
  const view = () => route.view();
  return { primary, fallback, tasks, ledger, canary, route, view, began: looked.promise };
}

t.test('coverage is known only after a whole comparison, and not while another edge copies', async (t) => {
  const { primary, fallback, ledger, canary, route, view } = await made(t);
  primary.seed('library/app', '1', { blobs: [1] });
  primary.seed('library/other', '1', { blobs: [1] });
  fallback.seed('library/other', '1', { blobs: [1] });

  await fallback.faults.on('errors', { status: 500 });
  await route.reconcile(never);
  const first = view();
  t.match(first.coverage, { comparedAt: null, ratio: null });
  t.ok(first.reconcile?.failed && first.reconcile.failingSince);
  await route.reconcile(never);
  t.equal(view().reconcile?.failingSince, first.reconcile?.failingSince, 'since the first one that failed');
  t.equal(route.stateOf('library/app', '1'), 'unknown');

  await fallback.faults.off('errors');
  await route.reconcile(never);
  t.match(view(), { coverage: { ratio: 0.5, missing: 1 }, reconcile: { failed: null, failingSince: null } });
  t.type(view().coverage.comparedAt, 'string');
  const { comparedAt } = view().coverage;
  t.same(
    [route.stateOf('library/app', '1'), route.stateOf('library/other', '1'), route.stateOf('library/none', '1')],
    ['missing', 'covered', 'gone'],
  );
  await fallback.faults.on('errors', { status: 500 });
  await route.reconcile(never);
  t.equal(view().coverage.comparedAt, comparedAt, 'what was found before still stands');
  t.match(view().coverage, { ratio: 0.5 });
  ledger.recordDeleted({ upstream: 'harbor', repository: 'library/other', tag: '1' }, ledger.now());
  t.equal(route.stateOf('library/other', '1'), 'gone', 'the primary has it no more');

  await fallback.faults.off('errors');
  canary.state = 'failing';
  await primary.faults.on('storageGone');
  await route.reconcile(never);
  t.match(
    view().reconcile?.failed,
    /harbor cannot read its canary/,
    'an unmounted storage lists nothing, and fails nothing',
  );
  t.equal(view().coverage.comparedAt, comparedAt);
  await primary.faults.off('storageGone');

  route.yieldToPeer();
  t.match(view(), { coverage: { comparedAt: null, ratio: null, tags: 0 }, lagSeconds: 0 });
  t.equal(route.stateOf('library/app', '1'), 'unknown');
  t.equal(route.dueAt, 0, 'and compares at once when it is its turn again');
});

t.test('a comparison during which another edge copied does not count', async (t) => {
  const { primary, route, view, began } = await made(t);
  primary.seed('library/app', '1', { blobs: [1] });
  const compared = route.reconcile(never);
  t.equal(route.reconcile(never), compared, 'not two at once');
  await began;
  route.yieldToPeer();
  await compared;
  t.match(view(), { coverage: { comparedAt: null }, reconciling: false });
  t.equal(route.dueAt, 0);
  await route.reconcile(never);
  t.type(view().coverage.comparedAt, 'string');
});

t.test('a repository that cannot be read keeps no other from being compared', async (t) => {
  const { primary, fallback, route, view } = await made(t);
  for (const name of ['a', 'b', 'z']) {
    primary.seed(`library/${name}`, '1', { blobs: [1] });
    fallback.seed(`library/${name}`, '1', { blobs: [1] });
  }
  for (const status of [403, 500]) {
    await primary.faults.on('errors', { status, path: /library\/b\// });
    await route.reconcile(never);
    t.match(view().reconcile, {
      repositories: 2,
      tags: 2,
      failed: /^1 of the repositories could not be compared: .*library\/b/,
    });
    t.equal(view().coverage.comparedAt, null, 'not all is known');
    t.equal(route.stateOf('library/z', '1'), 'covered');
    t.equal(route.stateOf('library/b', '1'), 'unknown');
  }
  await primary.faults.off('errors');
  await route.reconcile(never);
  t.equal(route.stateOf('library/b', '1'), 'covered');
  await primary.faults.on('errors', { status: 403, path: /library\/b\// });
  const { comparedAt } = view().coverage;
  await route.reconcile(never);
  t.equal(route.stateOf('library/b', '1'), 'covered', 'what was known of it still is');
  t.equal(view().coverage.comparedAt, comparedAt);
});

t.test('a push without a hint since the last comparison is neither covered nor gone', async (t) => {
  const { primary, fallback, ledger, route } = await made(t);
  for (const registry of [primary, fallback]) registry.seed('library/app', '1', { blobs: [1] });
  await route.reconcile(never);
  const pulled = (repository: string, tag: string) => {
    const at = ledger.now();
    const { digest } = primary.seed(repository, tag, { blobs: [2] });
    ledger.recordSeen({ upstream: 'harbor', repository, tag }, digest, at);
    return route.stateOf(repository, tag);
  };
  t.equal(route.stateOf('library/app', '1'), 'covered');
  t.equal(pulled('library/app', '2'), 'unknown', 'a new tag');
  t.equal(pulled('library/app', '1'), 'unknown', 'a tag that moved');
  t.equal(pulled('library/new', '1'), 'unknown', 'a new repository');
  const repository = { source: 'library/app', target: 'library/app' };
  const task = { copyRoute: route.copyRoute, repository, reference: '2', kind: 'copy' as const };
  route.markCopied(task, ledger.now());
  t.equal(route.stateOf('library/app', '2'), 'covered');
  const begun = ledger.now();
  ledger.recordSeen(
    { upstream: 'harbor', repository: 'library/app', tag: '2' },
    `sha256:${'a'.repeat(64)}`,
    ledger.now(),
  );
  route.markCopied(task, begun);
  t.equal(route.stateOf('library/app', '2'), 'unknown', 'it moved while it was copied');
  await route.reconcile(never);
  t.same(
    [route.stateOf('library/app', '1'), route.stateOf('library/app', '2'), route.stateOf('library/new', '1')],
    ['stale', 'missing', 'missing'],
  );
});

t.test('a fallback that lets the edge read nothing could serve nothing', async (t) => {
  for (const [total, state] of [
    [true, 'down'],
    [false, 'up'],
  ] as const) {
    const { route } = await made(t, { credentials: { own: true, refusal: { since: 1, reason: '401', total } } });
    t.equal(route.targetState, state);
  }
});

t.test('a view has the worst repositories and some failures, within bounds', async (t) => {
  const fails = async () => {
    throw new Error('gcr refuses it');
  };
  // Copies that fail for the moment would be tried one by one.
  const { primary, tasks, route, view } = await made(t, {}, fails, () => false);
  for (let number = 0; number < 21; number += 1)
    for (const tag of ['1', '2', '3', '4', '5', '6', '7']) primary.seed(`library/app${number}`, tag, { blobs: [1] });
  const before = Date.now();
  await route.reconcile(never);
  await tasks.onIdle();
  const { coverage, gaps, failing, failures, queued } = view();
  t.match(coverage, { repositories: 21, tags: 147, missing: 147, stale: 0, incomplete: 21, ratio: 0 });
  t.equal(gaps.length, 20);
  t.match(gaps[0], { repository: 'library/app0', missing: 7, stale: 0, tags: { length: 5 } });
  t.ok(Date.parse(gaps[0]?.since ?? '') >= before);
  t.strictSame([queued, failing, failures.length], [0, 147, 20]);
  t.match(failures[0], { tries: 1, reason: 'gcr refuses it', passing: false, nextTry: null });
  t.ok(Date.parse(failures[0]?.since ?? '') >= before);
  t.equal(route.failures.length, 147, 'a coverage report reads all of them');
  t.match(route.failures.at(-1), { reason: 'gcr refuses it' });
});

t.test('repositories that cannot be compared do not keep the others from it, while the canary is good', async (t) => {
  for (const state of ['good', 'failing'] as const) {
    const { primary, fallback, canary, route, view } = await made(t);
    // Next to each other in the list, and before the good one.
    for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6']) primary.seed(`library/${name}`, '1', { blobs: [1] });
    primary.seed('library/good', '1', { blobs: [2] });
    fallback.seed('library/good', '1', { blobs: [2] });
    await fallback.faults.on('errors', { status: 500, path: /a\d\/tags/ });
    canary.state = state;
    await route.reconcile(never);
    t.equal(route.stateOf('library/good', '1'), state === 'good' ? 'covered' : 'unknown', state);
    t.match(view().reconcile?.failed, state === 'good' ? /^6 of the repositories could not be compared/ : /500/);
  }
});

t.test('a source that lists nothing and has no good canary is not compared', async (t) => {
  const { fallback, canary, route, view } = await made(t);
  fallback.seed('library/app', '1', { blobs: [1] });
  canary.state = 'none';
  await route.reconcile(never);
  t.match(view(), { coverage: { comparedAt: null }, reconcile: { failed: /harbor lists no repositories/ } });
  canary.state = 'good';
  await route.reconcile(never);
  t.equal(view().reconcile?.failed, null);
});

t.test('a tag that cannot be copied is not tried again at each pull', async (t) => {
  let tries = 0;
  const work = async () => {
    tries += 1;
    throw new Error('gcr refuses it');
  };
  const { primary, fallback, route, tasks } = await made(t, {}, work, () => false);
  for (const one of [primary, fallback]) one.seed('library/app', '1', { blobs: [1] });
  await route.reconcile(never);
  const hint = (kind: 'push' | 'served') =>
    route.enqueueHint({ repository: 'library/app', reference: 'new', kind, from: 'edge', upstream: 'harbor' });
  hint('push');
  await tasks.onIdle();
  for (let pull = 0; pull < 5; pull += 1) {
    hint('served');
    await tasks.onIdle();
  }
  t.equal(tries, 1);
  t.match(route.view(), { coverage: { tags: 2, unknown: 1, missing: 0, stale: 0 }, failing: 1 });
});

t.test('a served tag does not replace a copy that no comparison has judged', async (t) => {
  let tries = 0;
  const work = async () => {
    tries += 1;
  };
  const { primary, fallback, route, tasks, view } = await made(t, {}, work);
  for (const one of [primary, fallback])
    for (const name of ['library/a', 'library/b']) one.seed(name, '1', { blobs: [1] });
  await primary.faults.on('errors', { status: 403, path: /library\/b\// });
  await route.reconcile(never);
  t.match(view(), { reconcile: { failed: /library\/b/ } });
  await tasks.onIdle();
  const hint = async (kind: 'push' | 'served', repository: string) => {
    const before = tries;
    route.enqueueHint({ repository, reference: '1', kind, from: 'edge', upstream: 'harbor' });
    await tasks.onIdle();
    return tries - before;
  };
  t.equal(await hint('served', 'library/b'), 0, 'the one on the fallback may be newer');
  t.match(view(), { coverage: { unknown: 1 } }, 'it is not known to be in step');
  t.equal(await hint('push', 'library/b'), 1, 'a push is copied in any case');
  await primary.faults.off();
  await route.reconcile(never);
  await tasks.onIdle();
  t.equal(await hint('served', 'library/new'), 1, 'what came after a whole comparison is copied at once');
});
