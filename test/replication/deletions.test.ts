import t from 'tap';
import { monotonicNow } from '../../src/clock/clock.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { until } from '../helpers/until.ts';
import { startReplicatedSite } from './replicated-site.ts';

t.test('a deletion that no hook told is followed by the second comparison that sees it', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', 'stays');
  site.seedBoth('app', 'gone', 2);
  site.untag('gone');
  const edge = site.edge();
  await edge.compare();
  t.strictSame(site.there(), ['gone', 'stays'], 'never by the first one after a start');
  t.match(edge.replicator.view().routes[0]?.reconcile, { unconfirmed: 1, failed: null });
  t.match(edge.outcomes, [/1 deleted, if the next comparison finds so too/]);
  const soon = (edge.replicator.routes[0]?.dueAt ?? 0) - monotonicNow();
  t.ok(soon < 700_000, 'which comes sooner than in an hour, for an edge that restarts every hour');
  await edge.compare();
  t.strictSame(site.there(), ['stays']);
  t.match(edge.replicator.view(), { copies: { deleted: 1 }, routes: [{ reconcile: { unconfirmed: 0 } }] });
});

t.test('while another edge may have acknowledged a push of it unheard, nothing is deleted', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', 'stays');
  site.seedBoth('app', 'gone', 2);
  site.untag('gone');
  const edge = site.edge();
  edge.mayLackNews = true;
  for (let comparisons = 0; comparisons < 3; comparisons += 1) await edge.compare();
  t.strictSame(site.there(), ['gone', 'stays']);
  t.match(edge.replicator.view().routes[0]?.reconcile, { unconfirmed: 1, failed: null });
  edge.mayLackNews = false;
  await edge.compare();
  t.strictSame(site.there(), ['stays'], 'the last comparison has seen it, too');
});

t.test('an edge that restarts between two comparisons begins anew', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', 'stays');
  site.seedBoth('app', 'gone', 2);
  site.untag('gone');
  for (let starts = 0; starts < 3; starts += 1) {
    const edge = site.edge();
    await edge.compare();
    await edge.replicator.stop();
    t.strictSame(site.there(), ['gone', 'stays']);
  }
  const edge = site.edge();
  await edge.compare();
  await edge.compare();
  t.strictSame(site.there(), ['stays']);
});

t.test('an edge that takes over begins anew, also if it has the ledger of the other one', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', 'stays');
  site.seedBoth('app', 'gone', 2);
  const ledger = new Ledger({ tags: 100, keep: 1_000_000 });
  t.teardown(() => ledger.close());
  const [one, other] = [site.edge(ledger), site.edge(ledger)];
  await one.compare();
  site.untag('gone');
  await one.compare();
  for (const route of one.replicator.routes) route.yieldToPeer();
  await other.compare();
  t.strictSame(site.there(), ['gone', 'stays']);
  for (const route of other.replicator.routes) route.yieldToPeer();
  await one.compare();
  t.strictSame(site.there(), ['gone', 'stays'], 'what it saw before the other edge copied does not count');
  await one.compare();
  t.strictSame(site.there(), ['stays']);
});

t.test('a comparison during which another edge copied saw nothing', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', 'stays');
  site.seedBoth('app', 'gone', 2);
  site.untag('gone');
  const edge = site.edge();
  edge.isLedgerRead = false;
  const compared = edge.compare();
  await until(() => edge.asked > 1, { what: () => 'a comparison that has begun' });
  for (const route of edge.replicator.routes) route.yieldToPeer();
  edge.isLedgerRead = true;
  await compared;
  await edge.compare();
  t.strictSame(site.there(), ['gone', 'stays']);
  await edge.compare();
  t.strictSame(site.there(), ['stays']);
});

t.test('a tag that comes back between two comparisons stays', async (t) => {
  const ways: [name: string, comeBack: (site: Awaited<ReturnType<typeof startReplicatedSite>>, edge: Edge) => void][] =
    [
      [
        'seen by the ledger, and gone again',
        (_, { ledger }) => {
          const tag = { upstream: 'harbor', repository: 'library/app', tag: 'gone' };
          ledger.recordSeen(tag, `sha256:${'a'.repeat(64)}`, ledger.now());
        },
      ],
      ['told by a hook, and gone again', (_, edge) => edge.hint('library/app', 'gone', 'push')],
      ['there to stay', (site) => site.primary.seed('library/app', 'gone', { blobs: [3] })],
    ];
  for (const [name, comeBack] of ways) {
    const site = await startReplicatedSite(t);
    site.seedBoth('app', 'stays');
    site.seedBoth('app', 'gone', 2);
    site.untag('gone');
    const edge = site.edge();
    await edge.compare();
    comeBack(site, edge);
    await edge.idle();
    await edge.compare();
    t.strictSame(site.there(), ['gone', 'stays'], name);
    t.equal(edge.replicator.view().copies.deleted, 0);
  }
});

type Edge = ReturnType<Awaited<ReturnType<typeof startReplicatedSite>>['edge']>;

t.test('a repository that vanished as a whole is followed too, and is not found by its name', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', '1');
  site.seedBoth('gone', '1', 2);
  site.seedBoth('gone', '2', 3);
  const edge = site.edge();
  await edge.compare();
  site.primary.store.repositories.delete('library/gone');
  await edge.compare();
  t.strictSame(site.there('project/gone'), ['1', '2']);
  t.match(edge.replicator.view().routes[0], {
    coverage: { repositories: 1 },
    reconcile: { repositories: 1, unconfirmed: 2 },
  });
  await edge.compare();
  t.strictSame(site.there('project/gone'), []);
  t.strictSame(site.there(), ['1']);
  await edge.compare();
  site.primary.forget();
  await edge.compare();
  t.notOk(
    site.primary.requests.some(({ url }) => url.includes('library/gone')),
    'and then forgotten',
  );
});

t.test('a repository that vanished stays, where deletions do', async (t) => {
  const site = await startReplicatedSite(t, { deletions: 'keep' });
  site.seedBoth('app', '1');
  site.seedBoth('gone', '1', 2);
  const edge = site.edge();
  await edge.compare();
  site.primary.store.repositories.delete('library/gone');
  for (let times = 0; times < 3; times += 1) await edge.compare();
  t.strictSame(site.there('project/gone'), ['1']);
});

t.test('each of two fallbacks is compared twice', async (t) => {
  const site = await startReplicatedSite(t, { fallbacks: ['gcr', 'quay'] });
  site.seedBoth('app', 'stays');
  site.seedBoth('app', 'gone', 2);
  site.untag('gone');
  const edge = site.edge();
  const [first, second] = edge.replicator.routes;
  const signal = new AbortController().signal;
  await first?.reconcile(signal);
  await second?.reconcile(signal);
  await edge.idle();
  t.strictSame(
    [site.there(), site.there('project/app', 'quay')],
    [
      ['gone', 'stays'],
      ['gone', 'stays'],
    ],
  );
  await first?.reconcile(signal);
  await edge.idle();
  t.strictSame([site.there(), site.there('project/app', 'quay')], [['stays'], ['gone', 'stays']]);
  await second?.reconcile(signal);
  await edge.idle();
  t.strictSame(site.there('project/app', 'quay'), ['stays']);
});

t.test('a page of the tag list that fails is no deletion', async (t) => {
  for (const status of [404, 500, 403]) {
    const site = await startReplicatedSite(t, { primary: { pageSize: 2 } });
    for (const tag of ['a', 'b', 'c', 'd']) site.seedBoth('app', tag);
    const edge = site.edge();
    await edge.compare();
    await site.primary.faults.on('errors', { status, path: /tags\/list.*last=/ });
    for (let times = 0; times < 3; times += 1) await edge.compare();
    t.strictSame(site.there(), ['a', 'b', 'c', 'd'], String(status));
    t.match(edge.outcomes.at(-1), /could not be compared/);
  }
});

t.test('a list that lacks most of its tags deletes nothing that is still there', async (t) => {
  const site = await startReplicatedSite(t);
  for (let number = 0; number < 20; number += 1) site.seedBoth('app', `v${number}`);
  site.untag('v0');
  const edge = site.edge();
  const listed = site.primary.store.repository('library/app').tags;
  const hidden = [...listed].slice(1);
  // The list is made of what `keys` gives; a tag that is asked for by name is found.
  Object.defineProperty(listed, 'keys', { value: () => ['v1'].values(), configurable: true });
  await edge.compare();
  await edge.compare();
  t.equal(hidden.length, 18);
  t.equal(site.there().length, 19, 'each tag is asked for by name before its copy is deleted');
  const deletes = site.fallbacks.get('gcr')?.requests.filter(({ method }) => method === 'DELETE') ?? [];
  t.equal(deletes.length, 1, 'and not copied again afterwards');
  t.notOk(site.there().includes('v0'), 'what is not there is deleted');
});

t.test('a comparison whose canary fails at the end is no sight of a deletion', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', '1');
  const edge = site.edge();
  await edge.compare();
  site.canary = 'failing';
  // The storage goes during the comparison: the repository is still listed, and its tags are not.
  site.untag('1');
  for (let times = 0; times < 2; times += 1) await edge.compare();
  t.match(edge.outcomes.at(-1), /cannot read its canary, so its lists may be incomplete/);
  site.primary.store.setTag('library/app', '1', site.digest('1') ?? '');
  await site.primary.faults.on('storageGone');
  await edge.compare();
  t.match(edge.outcomes.at(-1), /cannot read its canary/);
  site.canary = 'good';
  await edge.compare();
  t.strictSame(site.there(), ['1'], 'the storage is still gone, and the canary of another URL is good');
  await site.primary.faults.off();
  await edge.compare();
  t.strictSame(site.there(), ['1']);
});

t.test('a hook is enough, before and after the first comparison', async (t) => {
  const site = await startReplicatedSite(t);
  for (const tag of ['before', 'after', 'later', 'stays']) site.seedBoth('app', tag);
  const edge = site.edge();
  site.untag('before');
  edge.hint('library/app', 'before', 'delete');
  await edge.idle();
  t.strictSame(site.there(), ['after', 'later', 'stays']);
  site.untag('after');
  site.untag('later');
  await edge.compare();
  t.strictSame(site.there(), ['after', 'later', 'stays'], 'one comparison is not enough');
  edge.hint('library/app', 'after', 'delete');
  await edge.idle();
  t.strictSame(site.there(), ['later', 'stays']);
  await edge.compare();
  t.strictSame(site.there(), ['stays']);
  t.equal(edge.replicator.view().copies.deleted, 3, 'each once');
});

t.test('a retention run over a third of the tags is followed, hook or not', async (t) => {
  for (const told of [true, false]) {
    const site = await startReplicatedSite(t);
    const tags = Array.from({ length: 30 }, (_, number) => `v${number}`);
    for (const [index, tag] of tags.entries()) site.seedBoth('app', tag, index + 1);
    const edge = site.edge();
    await edge.compare();
    for (const tag of tags.slice(0, 10)) {
      site.untag(tag);
      if (told) edge.hint('library/app', tag, 'delete');
    }
    await edge.idle();
    if (!told) for (let times = 0; times < 2; times += 1) await edge.compare();
    t.strictSame(site.there(), tags.slice(10).sort(), String(told));
    t.equal(edge.replicator.view().copies.deleted, 10);
  }
});

t.test('while content is known to be lost nothing is deleted or replaced, and then it is seen anew', async (t) => {
  const site = await startReplicatedSite(t);
  for (const tag of ['stays', 'gone', 'told']) site.seedBoth('app', tag);
  const edge = site.edge();
  await edge.compare();
  const kept = site.digest('stays');
  site.untag('gone');
  await edge.compare();
  site.untag('told');
  site.primary.seed('library/app', 'stays', { blobs: [9] });
  site.lost.set('harbor', 'lost');
  for (let times = 0; times < 3; times += 1) await edge.compare();
  edge.hint('library/app', 'told', 'delete');
  await edge.idle();
  t.strictSame(site.there(), ['gone', 'stays', 'told']);
  t.equal(site.digest('stays'), kept);
  t.match(edge.outcomes.slice(-2), [
    /nothing is copied over or deleted: harbor has lost/,
    /the copy is kept: harbor has lost/,
  ]);
  site.lost.delete('harbor');
  await edge.compare();
  t.ok(site.there().includes('gone'), 'what was seen before does not count');
  t.not(site.digest('stays'), kept, 'the ledger knows it as older');
  await edge.compare();
  t.strictSame(site.there(), ['stays']);
});

t.test('while content is known to be lost a hint replaces no copy', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', 'v1');
  const edge = site.edge();
  await edge.compare();
  const old = site.digest('v1') ?? '';
  const { digest: kept } = site.primary.seed('library/app', 'v1', { blobs: [9] });
  await edge.compare();
  t.equal(site.digest('v1'), kept);
  site.primary.store.setTag('library/app', 'v1', old);
  site.lost.set('harbor', 'lost');
  edge.hint('library/app', 'v1', 'push');
  await edge.idle();
  t.equal(site.digest('v1'), kept);
  t.match(edge.outcomes.at(-1), /the copy is kept: harbor has lost/);
});

t.test('while the primary cannot be asked for what it acknowledged, only what it takes back waits', async (t) => {
  const site = await startReplicatedSite(t);
  for (const tag of ['back', 'gone', 'stays']) site.seedBoth('app', tag);
  const edge = site.edge();
  await edge.compare();
  const old = site.digest('back');
  site.primary.seed('library/app', 'back', { blobs: [9] });
  await edge.compare();
  const kept = site.digest('back');
  t.not(kept, old);
  site.lost.set('harbor', 'unclear');
  site.primary.store.repositories.get('library/app')?.tags.set('back', old ?? '');
  site.untag('gone');
  for (let times = 0; times < 3; times += 1) await edge.compare();
  edge.hint('library/app', 'gone', 'delete');
  await edge.idle();
  t.strictSame(site.there(), ['back', 'gone', 'stays']);
  t.equal(site.digest('back'), kept);
  t.match(edge.outcomes.at(-1), /the copy is kept: harbor may have lost/);
  site.lost.delete('harbor');
  for (let times = 0; times < 2; times += 1) await edge.compare();
  t.strictSame(site.there(), ['back', 'stays']);
  t.equal(site.digest('back'), old);
});

t.test('a comparison waits for what other edges know', async (t) => {
  const site = await startReplicatedSite(t);
  site.seedBoth('app', '1');
  const edge = site.edge();
  edge.isLedgerRead = false;
  const compared = edge.compare();
  await until(() => edge.asked > 1, { what: () => 'a second look whether the ledger is there' });
  t.strictSame(site.primary.requests, []);
  edge.isLedgerRead = true;
  await compared;
  t.match(edge.replicator.view().routes[0], { coverage: { ratio: 1 } });
});
