import t, { type Test } from 'tap';
import { replicationSchema } from '../../src/config/replication-schema.ts';
import { resolveRoute } from '../../src/failover/rewrite.ts';
import type { UpstreamView } from '../../src/failover/view.ts';
import { type LabRegistry, startLabRegistry } from '../../src/lab/registry.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { PulledLog } from '../../src/replication/coverage/pulled-log.ts';
import type { Hint } from '../../src/replication/hint.ts';
import type { RemoteRegistry } from '../../src/replication/registry/remote-registry.ts';
import { Replicator } from '../../src/replication/replicator.ts';
import { remoteRegistry } from '../helpers/remote-registry.ts';
import { until } from '../helpers/until.ts';
import { replica, upstream as viewOf } from '../status/snapshot/views.ts';

interface Site {
  primary: LabRegistry;
  fallback: LabRegistry;
  replicator: Replicator;
  ledger: Ledger;
  pulls: PulledLog;
  states: Map<string, UpstreamView['state']>;
  /** What else is so of an upstream. */
  views: Map<string, Partial<UpstreamView>>;
  /** Times that the state of an upstream was looked at. */
  looks: () => number;
  canary: { state: 'good' | 'failing' | 'none' };
  /** Each as it is named next, over those that are named always. */
  next: Map<string, RemoteRegistry>;
  hint: (repository: string, reference: string, kind?: Hint['kind']) => void;
  /** Digest of a tag of the fallback. */
  there: (repository: string, tag: string) => string | undefined;
  reasons: string[];
  /** Reports for the audit. */
  deleted: object[];
}

async function start(t: Test, config: object = {}, route: object = {}): Promise<Site> {
  const [primary, fallback] = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const registries = new Map([
    ['harbor', remoteRegistry(t, 'harbor', primary.url, { limit: 200 })],
    ['gcr', remoteRegistry(t, 'gcr', fallback.url, { limit: 200 })],
  ]);
  const ledger = new Ledger({ tags: 1000, keep: 1_000_000 });
  t.teardown(() => ledger.close());
  const pulls = new PulledLog();
  const states = new Map<string, UpstreamView['state']>();
  const views = new Map<string, Partial<UpstreamView>>();
  let looked = 0;
  const canary: Site['canary'] = { state: 'good' };
  const reasons: string[] = [];
  const deleted: object[] = [];
  const next: Site['next'] = new Map();
  const routes = [
    {
      prefix: 'library/',
      push: 'harbor',
      pull: [
        { upstream: 'harbor', replicate: false },
        { upstream: 'gcr', prefix: 'project/', replicate: true },
      ],
      ...route,
    },
    { prefix: 'library/private/', push: 'harbor', pull: [{ upstream: 'harbor', replicate: false }] },
  ].map((one) => resolveRoute({ onAbsent: 'stop', staleTags: 'warn', anonymous: false, deletions: 'keep', ...one }));
  const registry = (name: string) => {
    const registry = next.get(name) ?? registries.get(name);
    next.delete(name);
    if (!registry) throw new Error(name);
    return registry;
  };
  const replicator = new Replicator({
    routes,
    config: replicationSchema.parse({ every: '1h', ...config }),
    registry,
    registryForCopies: registry,
    registryForWatch: registry,
    view: (name) => {
      looked += 1;
      return viewOf(name, { state: states.get(name) ?? 'up', ...views.get(name) });
    },
    confirmCanary: async (registry) => ([...registries.values()].includes(registry) ? canary.state : 'failing'),
    ledger,
    isLedgerRead: () => true,
    pulls,
    onFailure: ({ reason }) => reasons.push(reason),
    onDeleted: (one) => deleted.push(one),
    onReconcile: (_, outcome) => reasons.push(outcome),
  });
  t.teardown(() => replicator.stop());
  const hint = (repository: string, reference: string, kind: Hint['kind'] = 'push') =>
    replicator.enqueueHints([{ repository, reference, kind, from: 'edge', upstream: 'harbor' }]);
  const there = (repository: string, tag: string) => fallback.store.repository(repository).tags.get(tag);
  const looks = () => looked;
  return {
    primary,
    fallback,
    replicator,
    ledger,
    pulls,
    states,
    views,
    looks,
    canary,
    next,
    hint,
    there,
    reasons,
    deleted,
  };
}

/** Resolves when the queues are empty. */
const idle = (replicator: Replicator) =>
  until(() => {
    const { waiting, running } = replicator.view().queue;
    return waiting + running === 0;
  });

async function reconcile({ routes }: Replicator): Promise<void> {
  for (const route of routes) await route.reconcile(new AbortController().signal);
}

t.test('a hint is enough', async (t) => {
  const { primary, replicator, hint, there, ledger } = await start(t);
  const { digest } = primary.seed('library/app', '1', { blobs: [1000, 2000] });
  hint('library/app', '1');
  await idle(replicator);
  t.equal(there('project/app', '1'), digest);
  const place = { upstream: 'harbor', repository: 'library/app', tag: '1' };
  t.equal(ledger.judge(place, digest).verdict, 'current', 'and the ledger knows');
  hint('elsewhere/app', '1');
  hint('library/private/app', '1');
  replicator.enqueueHints([
    { repository: 'library/app', reference: '2', kind: 'push', from: 'edge', upstream: 'other' },
  ]);
  await idle(replicator);
  t.match(
    replicator.view(),
    { copies: { copied: 1, failed: 0 }, active: true },
    'of what no route copies nothing comes',
  );
});

t.test('many hints of one thing are few copies, and the last digest counts', async (t) => {
  const { primary, fallback, replicator, hint, there } = await start(t);
  let digest = '';
  for (let number = 0; number < 100; number += 1) {
    ({ digest } = primary.seed('library/app', '1', { blobs: [1000], annotations: { number: String(number) } }));
    hint('library/app', '1');
    if (number % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await idle(replicator);
  t.equal(there('project/app', '1'), digest);
  t.ok(fallback.writes < 100, `${fallback.writes} writes`);
});

t.test('a comparison finds changes without a hint', async (t) => {
  const { primary, fallback, replicator, there, ledger } = await start(t);
  primary.seed('library/app', '1', { blobs: [999] });
  const images = ['library/app', 'library/deep/app', 'other/app', 'library/private/app'].map((name) => ({
    name,
    ...primary.seed(name, '1', { blobs: [100] }),
  }));
  fallback.seed('project/app', '1', { blobs: [999] });
  replicator.start();
  await until(() => replicator.view().routes[0]?.reconcile !== null);
  await idle(replicator);
  t.equal(there('project/app', '1'), images[0]?.digest, 'what differed');
  t.equal(there('project/deep/app', '1'), images[1]?.digest, 'what was missing');
  t.equal(fallback.store.repository('project/private/app').tags.size, 0, 'not what another route has');
  t.strictSame(
    [...fallback.store.repositories.keys()].filter((name) => name.includes('other')),
    [],
  );
  t.match(replicator.view().routes, [
    {
      prefix: 'library/',
      source: 'harbor',
      target: 'gcr',
      reconcile: { repositories: 2, tags: 2, gaps: 2, failed: null },
      coverage: { ratio: 1, tags: 2 },
    },
  ]);
  await reconcile(replicator);
  t.match(replicator.view().routes[0]?.reconcile, { gaps: 0, tags: 2 });
  t.equal(ledger.size, 2);
});

t.test('a fallback that is down holds up no other', async (t) => {
  const { primary, replicator, there, states } = await start(
    t,
    {},
    {
      pull: [
        { upstream: 'harbor', replicate: false },
        { upstream: 'lost', replicate: true },
        { upstream: 'gcr', prefix: 'project/', replicate: true },
      ],
    },
  );
  states.set('lost', 'down');
  for (let number = 0; number < 20; number += 1) {
    primary.seed('library/app', `n${number}`, { blobs: [100] });
    replicator.enqueueHints([
      { repository: 'library/app', reference: `n${number}`, kind: 'push', from: 'edge', upstream: 'harbor' },
    ]);
  }
  const { digest } = primary.seed('library/app', '1', { blobs: [100] });
  replicator.start();
  await until(() => there('project/app', '1') === digest);
  t.match(replicator.view().routes, [
    { target: 'lost', reconciling: true, reconcile: null },
    { target: 'gcr', reconcile: { tags: 21 } },
  ]);
});

t.test('failed copies are listed with reason and time', async (t) => {
  const { primary, replicator, reasons } = await start(t);
  primary.seed('library/app', 'good', { blobs: [100] });
  const { blobDigests } = primary.seed('library/app', 'broken', { blobs: [5000] });
  primary.store.removeBlob('library/app', blobDigests[0] ?? '');
  await reconcile(replicator);
  await idle(replicator);
  const [route] = replicator.view().routes;
  t.match(route?.failures, [
    { repository: 'library/app', reference: 'broken', tries: 1, passing: false, reason: /404/ },
  ]);
  t.ok((route?.lagSeconds ?? -1) >= 0 && (route?.lagSeconds ?? 10) < 10);
  t.match(route?.coverage, { tags: 2, missing: 1, ratio: 0.5 });
  t.match(route?.gaps, [{ repository: 'library/app', missing: 1, tags: ['broken'] }]);
  t.ok(reasons.some((reason) => /404/.test(reason)));
  await reconcile(replicator);
  await idle(replicator);
  t.match(replicator.view().routes[0]?.failures, [{ tries: 2 }], 'tried again by the next comparison');
  primary.store.repository('library/app').tags.delete('broken');
  const tried = Date.now();
  // In the very millisecond of the last try a comparison could not tell which came first, and keeps the failure.
  await until(() => Date.now() > tried, { every: 1 });
  await reconcile(replicator);
  await idle(replicator);
  t.match(replicator.view().routes[0], { failures: [], lagSeconds: 0 }, 'what is gone is no failure for ever');
});

t.test('the next comparison tries an image again that is known by digest only and failed for good', async (t) => {
  const { primary, fallback, replicator, hint } = await start(t);
  primary.seed('library/app', '1', { blobs: [100] });
  const { digest } = primary.seed('library/app', 'moves', { blobs: [200] });
  primary.store.repository('library/app').tags.delete('moves');
  await fallback.faults.on('readOnly');
  hint('library/app', digest);
  await idle(replicator);
  t.match(replicator.view().routes[0]?.failures, [{ reference: digest, passing: false }]);
  await fallback.faults.off();
  const tried = Date.now();
  await until(() => Date.now() > tried, { every: 1 });
  await reconcile(replicator);
  await idle(replicator);
  t.ok(fallback.store.manifest('project/app', digest));
  t.strictSame(replicator.view().routes[0]?.failures, []);
});

t.test('copies wait while an upstream is unhealthy or busy with clients', async (t) => {
  const many = replica({ inFlight: { control: 0, data: 128 } });
  const full = replica({ saturated: { control: false, data: true } });
  const cases: [string, string, Partial<UpstreamView>][] = [
    ['the source is down', 'harbor', { state: 'down' }],
    ['the fallback is down', 'gcr', { state: 'down' }],
    ['the fallback was not probed yet', 'gcr', { state: 'unknown' }],
    ['many transfers at the source', 'harbor', { replicas: [many] }],
    ['no place left at the fallback', 'gcr', { replicas: [full] }],
  ];
  const wait = async ([name, upstream, view]: (typeof cases)[number]) => {
    const { primary, replicator, views, hint, there, looks } = await start(t);
    views.set(upstream, view);
    const { digest } = primary.seed('library/app', '1', { blobs: [100] });
    hint('library/app', '1');
    // A copy that does not wait looks at both ends, once.
    await until(() => looks() > 2, { what: () => `another look before a copy: ${name}` });
    t.equal(there('project/app', '1'), undefined, name);
    t.match(replicator.view().routes[0], { queued: 1 });
    views.delete(upstream);
    await idle(replicator);
    t.equal(there('project/app', '1'), digest, `${name} no more`);
  };
  await Promise.all(cases.map(wait));
});

t.test('deletions stay, unless the route says that they follow', async (t) => {
  for (const deletions of ['keep', 'follow'] as const) {
    const { fallback, primary, replicator, hint, there, canary, deleted } = await start(t, {}, { deletions });
    primary.seed('library/app', 'stays', { blobs: [1] });
    fallback.seed('project/app', 'gone', { blobs: [100] });
    fallback.seed('project/app', 'lost', { blobs: [200] });
    const list = `sha256-${'a'.repeat(64)}`;
    fallback.seed('project/app', list, { blobs: [300] });
    canary.state = 'failing';
    hint('library/app', 'gone', 'delete');
    await idle(replicator);
    t.ok(there('project/app', 'gone'), 'an unmounted storage has no tags either');
    canary.state = 'good';
    hint('library/app', 'gone', 'delete');
    hint('library/app', 'stays', 'delete');
    await reconcile(replicator);
    await idle(replicator);
    t.equal(there('project/app', 'gone') === undefined, deletions === 'follow', deletions);
    t.ok(there('project/app', 'lost'), 'a comparison that saw it for the first time deletes nothing');
    await reconcile(replicator);
    await idle(replicator);
    t.equal(there('project/app', 'lost') === undefined, deletions === 'follow');
    t.ok(there('project/app', 'stays'), 'what is still there is not deleted, whatever a hint says');
    const copy = { from: 'harbor', upstream: 'gcr', repository: 'project/app' };
    const told = ['gone', 'lost'].map((reference) => ({ ...copy, reference }));
    t.same(deleted, deletions === 'follow' ? told : [], 'each is reported');
    t.ok(there('project/app', list), 'lists of referrers are copied for clients of the fallback');
  }
});

t.test('a URL that lost its storage deletes nothing, though another one of that registry sees it', async (t) => {
  const { fallback, primary, replicator, hint, there, next, reasons } = await start(t, {}, { deletions: 'follow' });
  primary.seed('library/app', '1', { blobs: [1] });
  fallback.seed('project/app', '1', { blobs: [1] });
  const unmounted = await startLabRegistry();
  t.teardown(() => unmounted.close());
  next.set('harbor', remoteRegistry(t, 'harbor', unmounted.url, { limit: 200 }));
  hint('library/app', '1', 'delete');
  await idle(replicator);
  t.ok(there('project/app', '1'));
  next.set('harbor', remoteRegistry(t, 'harbor', unmounted.url, { limit: 200 }));
  await reconcile(replicator);
  t.match(reasons.at(-1), /harbor cannot read its canary/, 'and what it lists is not all there is');
  t.equal(replicator.view().routes[0]?.coverage.comparedAt, null);
});

t.test('a tag that is pushed while it is deleted exists at the end', async (t) => {
  const { fallback, primary, replicator, hint, there } = await start(t, {}, { deletions: 'follow' });
  fallback.seed('project/app', '1', { blobs: [1] });
  await fallback.faults.on('delay', { ms: 300, kind: ['manifest'], path: /project\/app\/manifests\/1$/ });
  hint('library/app', '1', 'delete');
  await until(() => fallback.requests.some(({ method }) => method === 'DELETE'));
  await fallback.faults.off();
  const { digest } = primary.seed('library/app', '1', { blobs: [2] });
  fallback.seed('project/app', '1', { blobs: [2] });
  await idle(replicator);
  t.ok(fallback.requests.some(({ method }) => method === 'DELETE'));
  t.equal(there('project/app', '1'), digest);
});

t.test('a tag that the primary lists and cannot read is not deleted', async (t) => {
  const { fallback, primary, replicator, there, canary } = await start(t, {}, { deletions: 'follow' });
  const { digest } = primary.seed('library/app', '1', { blobs: [1] });
  fallback.seed('project/app', '1', { blobs: [1] });
  await primary.faults.on('errors', { status: 404, kind: ['manifest'] });
  t.equal(canary.state, 'good');
  // Only the second comparison that misses a tag deletes its copy.
  for (let times = 0; times < 2; times += 1) {
    await reconcile(replicator);
    await idle(replicator);
  }
  t.equal(there('project/app', '1'), digest, 'it may be the last copy');
});

t.test('only the edge with the VIP copies, if so wanted', async (t) => {
  for (const [config, active] of [
    [{ when: 'never' }, false],
    [{ when: 'vip', vip: '127.0.0.1' }, true],
    [{ when: 'vip', vip: '192.0.2.77' }, false],
    [{ when: 'vip', vip: '::1' }, true],
  ] as const) {
    const { primary, replicator, hint, there } = await start(t, config);
    primary.seed('library/app', '1', { blobs: [100] });
    hint('library/app', '1');
    await idle(replicator);
    t.equal(there('project/app', '1') !== undefined, active, JSON.stringify(config));
    t.equal(replicator.view().active, active);
  }
});

t.test('a fallback that is busy, or down, is caught up with', async (t) => {
  const { primary, fallback, replicator, hint, there } = await start(t);
  const { digest } = primary.seed('library/app', '1', { blobs: [100_000] });
  await fallback.faults.on('errors', { status: 500 });
  hint('library/app', '1');
  await idle(replicator);
  t.match(replicator.view().routes[0]?.failures, [{ passing: true }]);
  await fallback.faults.off('errors');
  hint('library/app', '1');
  await idle(replicator);
  t.equal(there('project/app', '1'), digest);
  t.match(replicator.view().routes[0], { failures: [], lagSeconds: 0 });
});

t.test('an image that is pulled by digest is copied, even without a tag', async (t) => {
  const { primary, fallback, replicator, pulls } = await start(t);
  const { digest: old } = primary.seed('library/app', '1', { blobs: [1000] });
  const { digest } = primary.seed('library/app', '1', { blobs: [2000] });
  const { digest: other } = primary.seed('library/private/app', '1', { blobs: [3000] });
  const lost = `sha256:${'0'.repeat(64)}`;
  const pull = (repository: string, reference: string) =>
    pulls.record({ registry: undefined, repository, reference, digest: reference });
  for (const reference of [old, lost]) pull('library/app', reference);
  pull('library/private/app', other);
  const state = (reference: string) => replicator.routes[0]?.stateOf('library/app', reference);
  t.equal(state(old), 'unknown');
  await reconcile(replicator);
  await idle(replicator);
  t.ok(fallback.store.manifest('project/app', old));
  t.strictSame([old, '1', lost].map(state), ['covered', 'covered', 'gone']);
  t.notOk(fallback.store.manifest('project/private/app', other), 'but nothing that is not copied');
  t.equal(replicator.routes[0]?.stateOf('library/none', '1'), 'gone', 'all that there is was compared');
  fallback.forget();
  await reconcile(replicator);
  t.notOk(
    fallback.requests.some(({ url }) => url.includes(old)),
    'and looked at again the day after',
  );
  t.ok(fallback.store.manifest('project/app', digest));
});

t.test('a fallback that fails while pulled digests are looked at is told of, and they are unknown', async (t) => {
  const { primary, fallback, replicator, pulls, reasons } = await start(t);
  const { digest } = primary.seed('library/app', '1', { blobs: [1000] });
  pulls.record({ registry: undefined, repository: 'library/app', reference: digest, digest });
  await reconcile(replicator);
  await idle(replicator);
  const { digest: next } = primary.seed('library/app', '1', { blobs: [2000] });
  primary.seed('library/app', '1', { blobs: [1000] });
  pulls.record({ registry: undefined, repository: 'library/app', reference: next, digest: next });
  await fallback.faults.on('errors', { status: 500, path: new RegExp(next) });
  await reconcile(replicator);
  t.match(reasons.at(-2), /pulled digests could not be checked: .*500/);
  t.equal(replicator.routes[0]?.stateOf('library/app', next), 'unknown');
});
