import t, { type Test } from 'tap';
import { resolveRoute } from '../../../src/failover/rewrite.ts';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { Ledger } from '../../../src/ledger/ledger.ts';
import { RouteWatch, type RouteWatchOptions } from '../../../src/replication/compare/route-watch.ts';
import { copyRoutes } from '../../../src/replication/copy-route.ts';
import { Coverage } from '../../../src/replication/coverage/coverage.ts';
import { PulledDigests } from '../../../src/replication/coverage/pulled-digests.ts';
import { PulledLog } from '../../../src/replication/coverage/pulled-log.ts';
import type { RemoteRegistry } from '../../../src/replication/registry/remote-registry.ts';
import type { CopyTask } from '../../../src/replication/task-queue.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';
import { compared } from '../made-view.ts';

const MINUTE = 60_000;
const { signal } = new AbortController();
const routes = [
  resolveRoute({
    ...{ prefix: 'library/', push: 'harbor', onAbsent: 'stop', staleTags: 'warn', deletions: 'keep', anonymous: false },
    pull: [
      { upstream: 'harbor', replicate: false },
      { upstream: 'gcr', prefix: 'cloud/', replicate: true },
    ],
  }),
];

/** A watch between two registries, after a comparison of all that `seeds` names. Nothing is copied. */
async function made(t: Test, seeds: string[], over: Partial<RouteWatchOptions> = {}) {
  const [primary, fallback] = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const registries = new Map<string, RemoteRegistry>(
    [primary, fallback].map((one, index) => {
      const name = index === 0 ? 'harbor' : 'gcr';
      return [name, remoteRegistry(t, name, one.url, { limit: 20 })] as const;
    }),
  );
  const ledger = new Ledger({ tags: 1000, keep: 1e9 });
  t.teardown(() => ledger.close());
  const before = ledger.now() - 10 * MINUTE;
  const clock = { now: before };
  const coverage = new Coverage(() => clock.now);
  const [pulls, queued] = [new PulledLog(), [] as string[]];
  const keys = ({ repository, reference }: CopyTask) => `${repository.target}:${reference}`;
  const [copyRoute] = copyRoutes(routes);
  if (!copyRoute) throw new Error('nothing is copied');
  const seed = (name: string, tag: string, content = 'same') => {
    fallback.seed(`cloud/${name}`, tag, { blobs: [10], annotations: { content } });
    return primary.seed(`library/${name}`, tag, { blobs: [10], annotations: { content } }).digest;
  };
  for (const name of seeds) {
    ledger.recordSeen({ upstream: 'harbor', repository: `library/${name}`, tag: '1' }, seed(name, '1'), before);
    coverage.recordComparison(
      compared({ repository: `library/${name}`, tags: 1, missing: [], stale: [], comparedAt: 0, ledgerTime: before }),
    );
  }
  clock.now = ledger.now();
  const failures: string[] = [];
  const state = { mayLook: true, harbor: 'good', gcr: 'good' } as {
    mayLook: boolean;
    harbor: 'good' | 'failing' | 'none';
    gcr: 'good' | 'failing' | 'none';
  };
  const watch = new RouteWatch({
    copyRoute,
    routes,
    ledger,
    pulls,
    coverage: () => coverage,
    digests: new PulledDigests({ copyRoute, routes, pulls }),
    every: MINUTE,
    registry: (name: string) => registries.get(name) ?? fail(name),
    confirmCanary: async ({ name }: { name: string }) => (name === 'harbor' ? state.harbor : state.gcr),
    stateOf: (repository: string, reference: string) =>
      coverage.tagState(
        repository,
        reference,
        ledger.find({ upstream: 'harbor', repository, tag: reference })?.[0]?.since,
      ),
    mayLook: () => state.mayLook,
    onFailure: (reason: string) => failures.push(reason),
    tasks: { has: (task: CopyTask) => queued.includes(keys(task)), add: (task: CopyTask) => queued.push(keys(task)) },
    ...over,
  } as unknown as RouteWatchOptions);
  const asked = (one: typeof primary) => one.requests.map(({ method, url }) => `${method} ${url.split('?')[0]}`);
  const pull = (name: string, reference: string, digest = `sha256:${'a'.repeat(64)}`) =>
    pulls.record({ registry: undefined, repository: `library/${name}`, reference, digest });
  return { primary, fallback, watch, coverage, ledger, queued, failures, state, asked, pull, seed };
}

function fail(name: string): never {
  throw new Error(name);
}

t.test('what was pulled comes first, each repository costs a list on each side, and a pulled tag a HEAD', async (t) => {
  const { primary, fallback, watch, queued, asked, pull } = await made(t, ['a', 'b', 'c', 'd', 'e']);
  pull('e', '1');
  primary.seed('elsewhere/x', '1', { blobs: [10] });
  primary.forget();
  await watch.look(signal);
  const lists = ['e', 'a', 'b', 'c', 'd'].map((name) => `GET /v2/library/${name}/tags/list`);
  const requests = asked(primary);
  t.equal(requests[0], lists[0], 'the one that was pulled');
  t.strictSame(requests.toSorted(), [...lists, 'GET /v2/_catalog', 'HEAD /v2/library/e/manifests/1'].toSorted());
  t.equal(asked(fallback).filter((one) => one.includes('/tags/list')).length, 5);
  t.strictSame(queued, []);
});

t.test('missing tags, new repositories and moved tags are found, and copied once', async (t) => {
  const { primary, watch, coverage, queued, pull, seed } = await made(t, ['a']);
  pull('a', '1');
  seed('new', 'both');
  primary.seed('library/new', 'past', { blobs: [20] });
  primary.seed('library/a', '2', { blobs: [20] });
  primary.seed('library/a', '1', { blobs: [30] });
  await watch.look(signal);
  t.strictSame(queued.toSorted(), ['cloud/a:1', 'cloud/a:2', 'cloud/new:past']);
  t.match(coverage.totals(), { tags: 4, missing: 2, stale: 0, unknown: 2 });
  await watch.look(signal);
  t.equal(queued.length, 3, 'a copy that no comparison has judged may be newer than what the primary shows');
  coverage.markCopied('library/a', '2', 5);
  t.match(coverage.totals(), { tags: 4, missing: 1, unknown: 2 });
});

t.test('a digest that was pulled is looked for', async (t) => {
  const { primary, watch, queued, pull } = await made(t, ['a']);
  const { digest } = primary.seed('library/a', '1', { blobs: [77] });
  pull('a', digest, digest);
  await watch.look(signal);
  t.strictSame(queued, [`cloud/a:${digest}`]);
});

t.test('nothing is claimed of a side whose canary fails (rule 13)', async (t) => {
  const { primary, fallback, watch, coverage, queued, state } = await made(t, ['a', 'b']);
  primary.seed('library/a', '2', { blobs: [20] });
  primary.store.repository('library/b').tags.clear();
  Object.assign(state, { harbor: 'failing', gcr: 'failing' });
  await watch.look(signal);
  t.match(coverage.totals(), { tags: 2, missing: 0, ratio: 1 });
  t.strictSame(queued, []);
  fallback.forget();
  Object.assign(state, { harbor: 'good', gcr: 'good' });
  await watch.look(signal);
  t.match(coverage.totals(), { repositories: 1, tags: 2, missing: 1 });
});

t.test('a tag that goes back is believed only with its upstream (rule 9)', async (t) => {
  const { watch, ledger, coverage, queued, pull } = await made(t, ['a']);
  const place = { upstream: 'harbor', repository: 'library/a', tag: '1' };
  const pushed = `sha256:${'b'.repeat(64)}`;
  ledger.recordPushed(place, pushed, ledger.now() - 5 * MINUTE);
  ledger.askContent = () => ({ soon: Promise.resolve('lost'), last: Promise.resolve('lost') });
  pull('a', '1', pushed);
  await watch.look(signal);
  t.equal(ledger.find(place)?.[0]?.digest, pushed);
  t.match(coverage.totals(), { unknown: 0 });
  t.strictSame(queued, []);
});

t.test('a registry that fails ends the round, and one that may not be asked is not', async (t) => {
  const { primary, fallback, watch, failures, asked, state } = await made(t, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']);
  t.notOk(watch.isDue, 'a comparison comes first');
  await fallback.faults.on('errors', { status: 500 });
  await watch.look(signal);
  t.match(failures, [/gcr/]);
  await fallback.faults.off();
  state.mayLook = false;
  primary.forget();
  await watch.look(signal);
  t.strictSame(asked(primary), []);
});

t.test('repositories that are denied do not keep others from their turn', async (t) => {
  const { primary, fallback, watch, failures, queued } = await made(t, [...'abcdefghi', 'z']);
  primary.seed('library/z', '2', { blobs: [20] });
  await fallback.faults.on('errors', { status: 403, path: /cloud\/[a-i]\// });
  await watch.look(signal);
  t.strictSame(queued, ['cloud/z:2']);
  t.strictSame(failures, []);
});

t.test('what was changed or pushed lately comes first too', async (t) => {
  const { primary, watch, ledger, asked } = await made(t, ['a', 'b', 'c', 'd', 'e', 'f']);
  await watch.look(signal);
  primary.forget();
  watch.noteChange('library/f');
  const place = { upstream: 'harbor', repository: 'library/e', tag: '1' };
  ledger.recordPushed(place, `sha256:${'b'.repeat(64)}`, ledger.now());
  await watch.look(signal);
  const lists = asked(primary).filter((one) => one.includes('tags/list'));
  t.strictSame(lists.toSorted(), ['GET /v2/library/e/tags/list', 'GET /v2/library/f/tags/list']);
});
