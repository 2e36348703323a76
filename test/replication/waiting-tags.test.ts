import t from 'tap';
import type { LabRegistry } from '../../src/lab/registry.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { timeOf } from '../../src/replication/compare/waiting-tags.ts';
import { until } from '../helpers/until.ts';
import { type ReplicatedSite, type ReplicatedSiteOptions, startReplicatedSite } from './replicated-site.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 21, 3, 30);
const USERS = { scheme: 'basic', users: [{ username: 'robot$copy', password: 'c0py' }] } as const;
/** A Harbor, and Artifact Registry as its fallback: both tell times. */
const CLOUD: ReplicatedSiteOptions = {
  primary: { harbor: true, auth: { ...USERS, users: [...USERS.users] } },
  fallback: { uploads: 'artifact-registry' },
};

/** Pushes to one side, at a time. @returns the digest */
function push(registry: LabRegistry, repository: string, tag: string, blob: number, at = NOW): string {
  const { digest } = registry.seed(repository, tag, { blobs: [blob] });
  const { manifests, pushedAt } = registry.store.repository(repository);
  pushedAt.set(tag, at);
  const manifest = manifests.get(digest);
  if (manifest) manifest.uploadedAt = at;
  return digest;
}

function gcr({ fallbacks }: ReplicatedSite): LabRegistry {
  const fallback = fallbacks.get('gcr');
  if (!fallback) throw new Error('no fallback');
  return fallback;
}

function verdict(ledger: Ledger, tag: string, digest: string): string {
  return ledger.judge({ upstream: 'harbor', repository: 'library/app', tag }, digest).verdict;
}

t.test('without a ledger what the fallback lacks is copied at once, and only what is newer there waits', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  const missing = push(site.primary, 'library/app', 'missing', 1);
  push(gcr(site), 'project/app', 'deleted', 2);
  push(gcr(site), 'project/app', 'behind', 3, NOW - HOUR);
  const ahead = push(site.primary, 'library/app', 'behind', 4, NOW);
  const newer = push(gcr(site), 'project/app', 'newer', 5, NOW);
  push(site.primary, 'library/app', 'newer', 6, NOW - HOUR);
  const edge = site.edge();
  await edge.compare();
  t.equal(site.digest('missing'), missing);
  t.equal(site.digest('behind'), ahead);
  t.equal(site.digest('newer'), newer, 'waits');
  t.ok(site.digest('deleted'), 'nothing is deleted in the first comparison');
  const [view] = edge.replicator.view().routes;
  t.match(view, {
    coverage: { stale: 1, missing: 0, tags: 3 },
    waiting: 1,
    waitingTags: [
      {
        repository: 'library/app',
        tag: 'newer',
        why: 'newer',
        primaryAt: new Date(NOW - HOUR).toISOString(),
        copyAt: new Date(NOW).toISOString(),
      },
    ],
  });
  t.match(edge.outcomes, [/1 deleted, if the next comparison finds so too, 1 wait for the operator/]);
  await edge.compare();
  t.equal(site.digest('newer'), newer, 'as long as the operator says nothing');
  t.equal(edge.replicator.view().routes[0]?.waitingTags[0]?.since, view?.waitingTags[0]?.since);
  t.notOk(site.digest('deleted'));
  const restarted = site.edge();
  await restarted.compare();
  t.equal(site.digest('newer'), newer, 'and after a restart');
});

t.test('the operator takes the one of the primary', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  const older = [1, 2, 3].map((blob) => push(site.primary, 'library/app', `v${blob}`, blob, NOW - HOUR));
  const newer = [1, 2, 3].map((blob) => push(gcr(site), 'project/app', `v${blob}`, 10 + blob, NOW));
  const edge = site.edge();
  await edge.compare();
  t.equal(edge.replicator.view().routes[0]?.waiting, 3);
  t.match(edge.replicator.acceptPrimary('harbor', 'library/app', 'v1'), { accepted: 1, unnamed: 0 });
  t.match(edge.replicator.acceptPrimary('harbor', 'library/other'), { accepted: 0, unnamed: 0 });
  t.match(edge.replicator.acceptPrimary('gcr'), { accepted: 0, unnamed: 0 }, 'nothing is pushed there');
  await edge.idle();
  t.equal(site.digest('v1'), older[0]);
  t.equal(site.digest('v2'), newer[1]);
  t.equal(verdict(edge.ledger, 'v1', newer[0] ?? ''), 'stale', 'so that other edges know too');
  // The other edge has the ledger, and nothing else.
  gcr(site).store.setTag('project/app', 'v1', newer[0] ?? '');
  const other = site.edge(edge.ledger);
  await other.compare();
  t.equal(site.digest('v1'), older[0]);
  t.match(edge.replicator.acceptPrimary('harbor'), { accepted: 2, unnamed: 0 });
  await edge.idle();
  t.strictSame(
    ['v2', 'v3'].map((tag) => site.digest(tag)),
    older.slice(1),
  );
  t.equal(edge.replicator.view().routes[0]?.waiting, 0);
});

t.test('what ends the wait of a tag', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  const tags = ['pushed', 'brought', 'gone'];
  const newer = tags.map((tag, index) => push(gcr(site), 'project/app', tag, 10 + index, NOW));
  for (const [index, tag] of tags.entries()) push(site.primary, 'library/app', tag, index, NOW - HOUR);
  const edge = site.edge();
  await edge.compare();
  t.equal(edge.replicator.view().routes[0]?.waiting, 3);
  const pushed = push(site.primary, 'library/app', 'pushed', 20, NOW - 2 * HOUR);
  edge.hint('library/app', 'pushed', 'push');
  await edge.idle();
  t.equal(site.digest('pushed'), pushed, 'a push is newer than every copy, whatever the clocks say');
  push(site.primary, 'library/app', 'brought', 11);
  site.untag('gone');
  await edge.compare();
  t.equal(edge.replicator.view().routes[0]?.waiting, 0);
  t.equal(site.digest('brought'), newer[1]);
});

t.test('a push, a decision and a copy end the wait at once, not only at the next comparison', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  const tags = ['accepted', 'copied', 'pushed', 'waits'];
  for (const [index, tag] of tags.entries()) {
    push(site.primary, 'library/app', tag, index, NOW - HOUR);
    push(gcr(site), 'project/app', tag, 10 + index, NOW);
  }
  const edge = site.edge();
  await edge.compare();
  const [route] = edge.replicator.routes;
  if (!route) throw new Error('no route');
  const waiting = () =>
    route
      .waitingTags(100)
      .map(({ tag }) => tag)
      .sort();
  t.strictSame(waiting(), tags);
  // A copy that was queued before the comparison.
  const repository = { source: 'library/app', target: 'project/app' };
  route.markCopied({ copyRoute: route.copyRoute, repository, reference: 'copied', kind: 'copy' }, edge.ledger.now());
  t.strictSame(waiting(), ['accepted', 'pushed', 'waits']);
  edge.hint('library/app', 'pushed', 'push');
  t.strictSame(waiting(), ['accepted', 'waits']);
  edge.replicator.acceptPrimary('harbor', 'library/app', 'accepted');
  t.strictSame(waiting(), ['waits']);
  await edge.idle();
});

t.test('once another edge copies, nothing waits here', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  push(site.primary, 'library/app', 'newer', 1, NOW - HOUR);
  push(gcr(site), 'project/app', 'newer', 2, NOW);
  const edge = site.edge();
  await edge.compare();
  const [route] = edge.replicator.routes;
  t.equal(route?.waitingTags(100).length, 1);
  route?.yieldToPeer();
  t.strictSame(route?.waitingTags(100), [], 'the other edge may have copied it');
  edge.isLedgerRead = false;
  const compared = edge.compare();
  await until(() => edge.asked > 1, { what: () => 'a comparison that has begun' });
  route?.yieldToPeer();
  edge.isLedgerRead = true;
  await compared;
  t.strictSame(route?.waitingTags(100), [], 'the comparison is outdated');
  await edge.compare();
  t.equal(route?.waitingTags(100).length, 1);
});

t.test('what waited in a repository that vanished from the primary waits no longer', async (t) => {
  const site = await startReplicatedSite(t, { ...CLOUD, deletions: 'keep' });
  for (const name of ['app', 'gone']) {
    push(site.primary, `library/${name}`, 'newer', 1, NOW - HOUR);
    push(gcr(site), `project/${name}`, 'newer', 2, NOW);
  }
  const edge = site.edge();
  await edge.compare();
  const [route] = edge.replicator.routes;
  t.equal(route?.waitingTags(100).length, 2);
  site.primary.store.repositories.delete('library/gone');
  await edge.compare();
  t.match(route?.waitingTags(100), [{ repository: 'library/app', tag: 'newer' }]);
  t.equal(route?.waitingTags(100).length, 1);
});

t.test('the time of a tag is that of the digest which was compared', async (t) => {
  const times = new Map([['v1', { digest: 'sha256:a', at: NOW }]]);
  t.equal(timeOf(times, 'v1', 'sha256:a'), NOW);
  t.equal(timeOf(times, 'v1', 'sha256:b'), undefined, 'the tag has moved since');
  t.equal(timeOf(times, 'v2', 'sha256:a'), undefined);
});

t.test('where no registry tells a time, the primary is asked for the manifest that the fallback has', async (t) => {
  const site = await startReplicatedSite(t);
  const once = push(site.primary, 'library/app', 'moved', 1);
  const now = push(site.primary, 'library/app', 'moved', 2);
  gcr(site).seed('project/app', 'moved', { blobs: [1] });
  push(site.primary, 'library/app', 'foreign', 3);
  const foreign = push(gcr(site), 'project/app', 'foreign', 4);
  t.equal(site.digest('moved'), once);
  const edge = site.edge();
  await edge.compare();
  t.equal(site.digest('moved'), now, 'the primary has lost nothing: the tag was moved');
  t.equal(site.digest('foreign'), foreign);
  t.match(edge.replicator.view().routes[0]?.waitingTags, [
    { tag: 'foreign', why: 'unknown', primaryAt: null, copyAt: null },
  ]);
});

t.test('times that are close, or of another digest, or refused, tell nothing', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  push(site.primary, 'library/app', 'close', 1, NOW);
  const close = push(gcr(site), 'project/app', 'close', 2, NOW + 30_000);
  const edge = site.edge();
  await edge.compare();
  t.equal(site.digest('close'), close);
  t.match(edge.replicator.view().routes[0]?.waitingTags, [{ tag: 'close', why: 'unknown' }]);
  await site.primary.faults.on('errors', { status: 500, path: /artifacts/ });
  await edge.compare();
  t.match(edge.replicator.view().routes[0], { waiting: 1, reconcile: { failed: null } });
  await site.primary.faults.off();
  await site.primary.faults.on('errors', { status: 500, path: new RegExp(`manifests/${close}`) });
  await edge.compare();
  t.match(edge.replicator.view().routes[0], { waiting: 1, reconcile: { failed: null } }, 'no answer is no evidence');
});

t.test('a tag that was moved back in Harbor itself is followed, because Harbor tells when', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  const old = push(site.primary, 'library/app', 'latest', 1, NOW - 3 * HOUR);
  push(site.primary, 'library/app', 'latest', 2, NOW - 2 * HOUR);
  push(gcr(site), 'project/app', 'latest', 2, NOW - 2 * HOUR);
  const { tags, pushedAt } = site.primary.store.repository('library/app');
  tags.set('latest', old);
  pushedAt.set('latest', NOW);
  const edge = site.edge();
  await edge.compare();
  t.equal(site.digest('latest'), old);
});

t.test('what the ledger knows is not asked again', async (t) => {
  const site = await startReplicatedSite(t);
  const edge = site.edge();
  const place = { upstream: 'harbor', repository: 'library/app', tag: 'v1' };
  const before = push(gcr(site), 'project/app', 'v1', 1);
  edge.ledger.recordSeen(place, before, edge.ledger.now());
  const now = push(site.primary, 'library/app', 'v1', 2);
  await edge.compare();
  t.equal(site.digest('v1'), now, 'an ordinary lag');
  t.notOk(site.primary.requests.some(({ url }) => url.includes(before)));
});

t.test(
  'while another edge may know of pushes, a copy that the primary lacks waits, whatever the ledger knows',
  async (t) => {
    const site = await startReplicatedSite(t);
    const edge = site.edge();
    const lost = push(gcr(site), 'project/app', 'lost', 1);
    const shown = push(site.primary, 'library/app', 'lost', 2);
    gcr(site).seed('project/app', 'moved', { blobs: [3] });
    push(site.primary, 'library/app', 'moved', 3);
    const now = push(site.primary, 'library/app', 'moved', 4);
    edge.ledger.recordSeen({ upstream: 'harbor', repository: 'library/app', tag: 'lost' }, lost, edge.ledger.now());
    edge.mayLackNews = true;
    await edge.compare();
    t.equal(site.digest('lost'), lost);
    t.equal(site.digest('moved'), now, 'the primary has lost nothing');
    edge.mayLackNews = false;
    await edge.compare();
    t.equal(site.digest('lost'), shown);
  },
);

t.test('more tags than are named: all wait, and each can be accepted', async (t) => {
  const site = await startReplicatedSite(t, CLOUD);
  const older = push(site.primary, 'library/app', 'v0', 1, NOW - HOUR);
  const newer = push(gcr(site), 'project/app', 'v0', 2, NOW);
  const tags = Array.from({ length: 10_002 }, (_, index) => `v${index}`);
  for (const tag of tags) {
    site.primary.store.setTag('library/app', tag, older);
    site.primary.store.repository('library/app').pushedAt.set(tag, NOW - HOUR);
    gcr(site).store.setTag('project/app', tag, newer);
  }
  const edge = site.edge();
  await edge.compare();
  const [view] = edge.replicator.view().routes;
  t.match(view, { waiting: 10_002, coverage: { stale: 10_002 } });
  t.ok(tags.every((tag) => site.digest(tag) === newer));
  const named = new Set(edge.replicator.routes[0]?.waitingTags(20_000).map(({ tag }) => tag));
  t.equal(named.size, 10_000);
  const unnamed = tags.find((tag) => !named.has(tag)) ?? '';
  t.match(edge.replicator.acceptPrimary('harbor', 'library/app', unnamed), { accepted: 1, unnamed: 0 });
  await edge.idle();
  t.equal(site.digest(unnamed), older);
  t.match(edge.replicator.acceptPrimary('harbor', 'library/other', unnamed), { accepted: 0, unnamed: 0 });
});
