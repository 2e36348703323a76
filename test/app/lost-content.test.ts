import t from 'tap';
import { MANIFEST_TYPE } from '../helpers/lab-site.ts';
import { takeSnapshot, takeTags } from '../helpers/store-snapshot.ts';
import { until } from '../helpers/until.ts';
import { ADMIN_TOKEN, type LostContentSite, startLostContentSite, warnings } from './lost-content-site.ts';

/** Pushes two tags, takes a snapshot, pushes over one of them and two more, and restores the snapshot. */
async function restored(site: LostContentSite) {
  const old = await site.push('team/app:1', 'old');
  await site.push('team/app:0', 'as ever');
  const restore = takeSnapshot(site.lab.primary);
  const moved = await site.push('team/app:1', 'new');
  const added = await site.push('team/app:2', 'second');
  const other = await site.push('other/app:1', 'other');
  restore();
  return { old, moved, added, other };
}

const served = (digest: string, upstream: string) => ({
  status: 200,
  headers: { 'docker-content-digest': digest, 'x-breakwater-upstream': upstream },
});

t.test('a primary that was restored from an old snapshot', async (t) => {
  const site = await startLostContentSite(t);
  const { old, moved, added, other } = await restored(site);
  t.equal(site.onPrimary('team/app:1'), old);
  const first = await site.pull('team/app:1');
  t.match(first, served(moved, 'gcr'), 'the first pull already gets the tag as it was');
  t.match(
    warnings(first),
    /299 - "tag 1 at gcr is sha256:\w+: harbor has lost content since .*run breakwater accept harbor"/,
  );
  t.match(warnings(first), /served by gcr because harbor is not available \(content-lost\)/);
  const second = await site.pull('team/app:2');
  t.match(second, served(added, 'gcr'), 'what vanished is served as well');
  t.match(warnings(second), /tag 2 at gcr .* harbor has lost content/);
  t.match(await site.pull('team/app:0'), served(site.onPrimary('team/app:0') ?? '', 'harbor'));
  t.match(await site.pull(`other/app:1`), served(other, 'gcr'));
  const byDigest = await site.client.ask(`/v2/team/app/manifests/${added}`);
  t.match(byDigest, { status: 200 });
  t.match(await site.client.ask(`/v2/team/app/blobs/${JSON.parse(byDigest.body.toString()).layers[0].digest}`), {
    status: 200,
    headers: { 'x-breakwater-upstream': 'gcr' },
  });
  t.match(await site.pull('team/app:none'), { status: 503, body: /harbor, which may, has lost content/ });

  await site.compared(2);
  for (const [image, digest] of [
    ['team/app:1', moved],
    ['team/app:2', added],
    ['other/app:1', other],
  ] as const)
    t.equal(site.onFallback(image), digest, `${image} on the fallback is as it was`);

  t.match(site.lost, { pushes: 3, images: ['inner/other/app:1', 'inner/team/app:2', 'inner/team/app:1'] });
  const { headline } = site.lab.edge.app.status();
  t.match(headline, {
    level: 'degraded',
    text: /harbor has lost content: 3 pushes that it acknowledged since .* or run breakwater accept harbor\./,
  });
  t.match(await site.lab.edge.admin('/metrics', ADMIN_TOKEN), {
    body: /^breakwater_lost_pushes\{upstream="harbor"\} 3$/m,
  });
  t.match(await site.lab.edge.admin('/metrics', ADMIN_TOKEN), {
    body: /^breakwater_tags_total\{verdict="current",action="warned"\} [1-9]/m,
  });
  t.match(site.lab.edge.log, /"level":50,.*"msg":"harbor has lost content since/);
  t.match(
    site.lab.edge.log,
    /"level":40,[^\n]*"tag":\{"verdict":"current","action":"warned","text":"[^"]*harbor has lost content/,
  );

  const pushed = await site.push('team/app:3', 'third');
  t.equal(site.onPrimary('team/app:3'), pushed, 'pushes go on, and are copied');
  await until(() => site.onFallback('team/app:3') === pushed);
  const again = await site.push('team/app:2', 'second anew');
  t.match(await site.pull('team/app:2'), served(again, 'harbor'));
  t.ok(site.lost, 'content is still missed');
});

t.test('accepted as it is', async (t) => {
  const site = await startLostContentSite(t);
  const { old, moved } = await restored(site);
  t.match(await site.pull('team/app:1'), served(moved, 'gcr'));
  t.match(await site.lab.edge.adminPost('/api/accept?what=harbor', 'guess'), { status: 401 });
  t.match(await site.accept('nothing'), { status: 404 });
  t.match(await site.accept('team/app:1'), { status: 200, body: /"lost": true/ }, 'one tag only');
  t.match(await site.pull('team/app:1'), served(old, 'harbor'));
  t.match(await site.pull('team/app:2'), { status: 200, headers: { 'x-breakwater-upstream': 'gcr' } });
  const accepted = await site.accept('harbor');
  t.match(accepted, { status: 200 });
  t.match(JSON.parse(accepted.body), { upstream: 'harbor', unread: [], lost: false });
  const explained = await site.lab.edge.admin('/api/explain?image=team/app:2', ADMIN_TOKEN);
  t.match(JSON.parse(explained.body).ledger, { digest: null }, 'the ledger has what the primary shows');
  t.match(site.lab.edge.log, /accepted what the upstream shows/);
  const audits = site.lab.edge.log.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line).audit ?? [])));
  const accepts = audits.filter(({ action }) => action === 'accept');
  t.match(accepts, [
    { result: 'failed', what: 'nothing', client: '127.0.0.1' },
    { result: 'done', what: 'team/app:1' },
    { result: 'done', what: 'harbor', client: '127.0.0.1' },
  ]);
  t.ok(audits.find(({ action, result, what }) => action === 'login' && result === 'refused' && what === 'admin'));
  t.equal(site.lost, undefined);
  t.equal((await site.pull('team/app:2')).status, 404);
  t.match(await site.lab.edge.admin('/metrics', ADMIN_TOKEN), {
    body: /^breakwater_lost_pushes\{upstream="harbor"\} 0$/m,
  });
});

t.test('accepted at an older push of the same tag', async (t) => {
  for (const what of ['harbor', 'team/app:1']) {
    const site = await startLostContentSite(t);
    const old = await site.push('team/app:1', 'old');
    const restore = takeSnapshot(site.lab.primary);
    await site.push('team/app:1', 'new');
    await site.push('team/app:1', 'old');
    const newest = await site.push('team/app:1', 'newest');
    restore();
    t.match(await site.pull('team/app:1'), served(newest, 'gcr'));
    t.match(JSON.parse((await site.accept(what)).body), { lost: false }, what);
    t.match(await site.pull('team/app:1'), served(old, 'harbor'));
    await until(() => site.onFallback('team/app:1') === old, { what: () => 'the copy' });
  }
});

t.test('what is there again is missed no longer', async (t) => {
  const site = await startLostContentSite(t, { config: { replication: { every: '1s' } } });
  await site.push('team/app:0', 'as ever');
  const back = takeSnapshot(site.lab.primary);
  const digests = [await site.push('team/app:1', 'new'), await site.push('team/app:2', 'second')];
  const forth = takeSnapshot(site.lab.primary);
  back();
  t.match(await site.pull('team/app:2'), served(digests[1] ?? '', 'gcr'));
  forth();
  await site.lab.primary.faults.on('down');
  await site.lab.edge.upstream('harbor', 'down');
  await site.lab.primary.faults.off('down');
  await site.lab.edge.upstream('harbor', 'up');
  await until(() => site.lost === undefined);
  t.match(await site.pull('team/app:2'), served(digests[1] ?? '', 'harbor'));
});

t.test('what is copied back is missed no longer, and the comparisons go on', async (t) => {
  const site = await startLostContentSite(t);
  await site.push('team/app:0', 'as ever');
  const back = takeSnapshot(site.lab.primary);
  const digests = [await site.push('team/app:1', 'new'), await site.push('team/app:2', 'second')];
  const forth = takeSnapshot(site.lab.primary);
  back();
  t.match(await site.pull('team/app:2'), served(digests[1] ?? '', 'gcr'));
  t.ok(site.lost);
  // As `breakwater sync gcr harbor --newer` does, while the primary runs.
  forth();
  t.match(JSON.parse((await site.accept('harbor')).body), { lost: false });
  t.equal(site.lost, undefined);
  t.match(await site.pull('team/app:2'), served(digests[1] ?? '', 'harbor'));
  await site.compared(1);
  t.equal(site.onFallback('team/app:1'), digests[0]);
});

t.test('a hook that tells of an older manifest as pushed replaces no copy', async (t) => {
  const secret = 'the secret of the hooks';
  const site = await startLostContentSite(t, {
    settings: { hookSecret: secret },
    config: { replication: { every: '1h' } },
  });
  const { old, moved } = await restored(site);
  const target = { mediaType: MANIFEST_TYPE, repository: 'inner/team/app', digest: old, tag: '1' };
  const told = await site.client.ask('/hooks/distribution', {
    method: 'POST',
    headers: { authorization: secret, 'content-type': 'application/json' },
    body: JSON.stringify({ events: [{ action: 'push', target }] }),
  });
  t.match(told, { status: 202, body: /"hints": ?1/ });
  await until(() => /the copy is kept: harbor has lost content/.test(site.lab.edge.log), {
    what: () => `a copy that is refused: ${site.lab.edge.log.slice(-2000)}`,
  });
  t.equal(site.onFallback('team/app:1'), moved);
});

t.test('a volume that is lost', async (t) => {
  const site = await startLostContentSite(t);
  const digests = [await site.push('team/app:1', 'one'), await site.push('team/app:2', 'two')];
  const { store } = site.lab.primary;
  store.repositories.clear();
  store.blobs.clear();
  await site.lab.edge.upstream('harbor', 'down');
  t.match(await site.pull('team/app:1'), served(digests[0] ?? '', 'gcr'));
  // The operator pushes the canary anew.
  site.lab.primary.seed('canary', 'latest', { blobs: [64] });
  await site.lab.edge.upstream('harbor', 'up');
  await until(() => site.lost);
  t.match(await site.pull('team/app:2'), served(digests[1] ?? '', 'gcr'));
  await site.compared(1);
  t.strictSame([site.onFallback('team/app:1'), site.onFallback('team/app:2')], digests);
});

t.test('a storage that was restored under a database that was kept', async (t) => {
  const site = await startLostContentSite(t);
  await site.push('team/app:0', 'as ever');
  const restore = takeSnapshot(site.lab.primary);
  const digests = [await site.push('team/app:1', 'one'), await site.push('team/app:2', 'two')];
  const restoreTags = takeTags(site.lab.primary);
  restore();
  restoreTags();
  t.equal(site.onPrimary('team/app:1'), digests[0], 'the tags are listed');
  t.match(await site.pull('team/app:1'), served(digests[0] ?? '', 'gcr'));
  t.ok(site.lost);
});

t.test('a storage that has lost blobs only', async (t) => {
  const site = await startLostContentSite(t);
  await site.push('team/app:0', 'as ever');
  const blobs = new Set(site.lab.primary.store.blobs.keys());
  const digests = [await site.push('team/app:1', 'one'), await site.push('team/app:2', 'two')];
  for (const digest of site.lab.primary.store.blobs.keys())
    if (!blobs.has(digest)) site.lab.primary.store.removeBlob('inner/team/app', digest);
  const { body } = await site.client.ask(`/v2/team/app/manifests/${digests[0]}`);
  const layer = JSON.parse(body.toString()).layers[0].digest;
  t.match(await site.client.ask(`/v2/team/app/blobs/${layer}`), {
    status: 200,
    headers: { 'x-breakwater-upstream': 'gcr' },
  });
  t.ok(site.lost);
  t.match(
    JSON.parse((await site.accept('harbor')).body),
    { lost: false },
    'its tags show what was pushed, and are taken so',
  );
  t.equal((await site.client.ask(`/v2/team/app/blobs/${layer}`)).status, 404);
  await site.compared(1);
  t.equal(site.lost, undefined);
});

t.test('a snapshot that holds the newer manifest under another tag', async (t) => {
  const site = await startLostContentSite(t);
  const old = await site.push('team/app:1', 'old');
  const candidate = await site.push('team/app:candidate', 'new');
  const restore = takeSnapshot(site.lab.primary);
  await site.push('other/app:1', 'lost');
  await site.push('other/app:2', 'lost too');
  t.equal(await site.push('team/app:1', 'new'), candidate);
  restore();
  t.equal(site.onPrimary('team/app:1'), old);
  t.match(await site.pull('team/app:1'), served(candidate, 'gcr'));
  await site.compared(1);
  t.equal(site.onFallback('team/app:1'), candidate);
});

t.test('pushes go on before the loss is noticed', async (t) => {
  const site = await startLostContentSite(t, { config: { replication: { every: '1h' } } });
  await site.push('team/app:0', 'as ever');
  const restore = takeSnapshot(site.lab.primary);
  await site.push('team/app:1', 'one');
  const lost = await site.push('team/app:2', 'two');
  restore();
  await site.push('team/app:3', 'three');
  t.match(await site.pull('team/app:2'), served(lost, 'gcr'));
});

t.test('an edge that restarts learns of it from its peer', async (t) => {
  const site = await startLostContentSite(t);
  const { moved, added } = await restored(site);
  t.match(await site.pull('team/app:1'), served(moved, 'gcr'));
  await site.push('team/app:3', 'pushed while content is missed');
  const other = await site.second();
  const [peer] = other.app.status().peers;
  t.match(peer, { state: 'in-step' });
  for (const [image, digest] of [
    ['team/app:1', moved],
    ['team/app:2', added],
  ] as const) {
    const pulled = await site.pull(image, other);
    t.match(pulled, served(digest, 'gcr'), image);
    t.match(warnings(pulled), /harbor has lost content/);
  }
  t.match(other.app.status().headline.text, /harbor has lost content/);
  t.match(await site.accept('harbor'), { status: 200 });
  await until(() => other.app.status().upstreams.every(({ lost }) => lost === undefined), {
    what: () => 'the other edge to hear that it is accepted',
  });
  t.equal((await site.pull('team/app:2', other)).status, 404);
});

t.test('what a primary that is well says is true at once', async (t) => {
  const site = await startLostContentSite(t, { config: { replication: { every: '1h' } } });
  const old = await site.push('team/app:1', 'old');
  const moved = await site.push('team/app:1', 'new');
  const newest = await site.push('other/app:1', 'newest');
  site.tag('team/app:1', old);
  const rolledBack = await site.pull('team/app:1');
  t.match(rolledBack, served(old, 'harbor'), 'a tag that was moved back in the registry');
  t.equal(warnings(rolledBack), '');
  site.tag('team/app:1', moved);
  t.match(await site.pull('team/app:1'), served(moved, 'harbor'), 'and forth');
  site.tag('other/app:1', old);
  site.lab.primary.store
    .repository('inner/other/app')
    .manifests.set(old, site.lab.primary.store.repository('inner/team/app').manifests.get(old) as never);
  t.match(await site.pull('other/app:1'), served(old, 'harbor'), 'the newest push, too');
  t.not(newest, old);
  t.equal(site.lost, undefined);
});

t.test('a retention run over 30 % of the tags is no loss', async (t) => {
  const site = await startLostContentSite(t);
  const digests: string[] = [];
  for (let n = 0; n < 10; n += 1) digests.push(await site.push(`team/app:${n}`, `build ${n}`));
  for (const n of [1, 4, 6]) site.remove(`team/app:${n}`, digests[n] ?? '');
  // An edge that cannot look in time, as on a busy machine, believes no 404 before it has looked.
  await until(async () => (await site.pull('team/app:4')).status === 404, { what: () => 'a 404 that is believed' });
  await until(() => [1, 4, 6].every((n) => site.onFallback(`team/app:${n}`) === undefined), {
    what: () => 'the deletions to be followed',
  });
  t.equal(site.lost, undefined);
  for (const n of [0, 9]) t.match(await site.pull(`team/app:${n}`), served(digests[n] ?? '', 'harbor'));
});

t.test('garbage collection of overwritten manifests, and deletions by clients, are no loss', async (t) => {
  const site = await startLostContentSite(t);
  await site.push('team/app:0', 'as ever');
  const overwritten = [await site.push('team/app:1', 'a'), await site.push('team/app:1', 'b')];
  const current = await site.push('team/app:1', 'c');
  for (const digest of overwritten) site.remove('team/app:1', digest);
  const deleted = [await site.push('team/app:2', 'x'), await site.push('team/app:3', 'y')];
  for (const digest of deleted)
    t.match(await site.client.ask(`/v2/team/app/manifests/${digest}`, { method: 'DELETE' }), { status: 202 });
  t.equal((await site.pull('team/app:3')).status, 404);
  await site.compared(2);
  t.equal(site.lost, undefined);
  t.match(await site.pull('team/app:1'), served(current, 'harbor'));
});

t.test('of two pushes of one tag at once the registry decides', async (t) => {
  const site = await startLostContentSite(t);
  const digests = [await site.push('team/app:1', 'a'), await site.push('team/app:1', 'b')];
  // The registry took the other one last.
  site.tag('team/app:1', digests[0]);
  t.match(await site.pull('team/app:1'), served(digests[0] ?? '', 'harbor'));
  site.remove('team/app:1', digests[1] ?? '');
  await site.compared(2);
  t.equal(site.lost, undefined);
  t.equal(site.onFallback('team/app:1'), digests[0]);
});
