import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import { ImageCopy } from '../../../src/replication/copy/image-copy.ts';
import type { RepositoryPair } from '../../../src/replication/copy-route.ts';
import { Sync, type SyncEnd, type SyncOptions } from '../../../src/replication/sync/sync.ts';
import type { SyncEvent } from '../../../src/replication/sync/sync-event.ts';
import { type RemoteOptions, remoteRegistry } from '../../helpers/remote-registry.ts';

interface Pair {
  primary: LabRegistry;
  fallback: LabRegistry;
  /** Syncs repositories of the primary to `there/…`. */
  sync: (names: string[], options?: Partial<SyncOptions>, signal?: AbortSignal) => Promise<Synced>;
}

interface Synced {
  end: SyncEnd;
  events: SyncEvent[];
}

async function start(t: Test, options: LabRegistryOptions = {}, remote: RemoteOptions = {}): Promise<Pair> {
  const [primary, fallback] = await Promise.all([startLabRegistry(options), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const source = remoteRegistry(t, 'harbor', primary.url, remote);
  const target = remoteRegistry(t, 'gcr', fallback.url, remote);
  const sync: Pair['sync'] = async (names, more = {}, signal = new AbortController().signal) => {
    const events: SyncEvent[] = [];
    const onEvent = (event: SyncEvent) => {
      events.push(event);
      more.onEvent?.(event);
    };
    const copy = new ImageCopy({ concurrentBlobs: 4 });
    const run = new Sync({ source, target, copy, images: 2, ...more, onEvent });
    return { end: await run.run(pairsOf(names), signal), events };
  };
  return { primary, fallback, sync };
}

async function* pairsOf(names: string[]): AsyncGenerator<RepositoryPair> {
  for (const source of names) yield { source, target: `there/${source}` };
}

const kinds = ({ events }: Synced, kind: SyncEvent['kind']) =>
  events.flatMap((event) => (event.kind === kind && 'image' in event ? [event.image?.tag ?? 'repository'] : [])).sort();
const tagsOf = ({ store }: LabRegistry, repository: string) => Object.fromEntries(store.repository(repository).tags);
const made = (registry: LabRegistry, name: string, tag: string, note = tag) =>
  registry.seed(name, tag, { blobs: [1000, 50], annotations: { note } });

t.test('missing and different tags are copied; tags that only the target has stay', async (t) => {
  const { primary, fallback, sync } = await start(t);
  for (const name of ['app', 'other']) for (const tag of ['same', 'differs', 'missing']) made(primary, name, tag);
  for (const name of ['app', 'other']) {
    made(fallback, `there/${name}`, 'same');
    made(fallback, `there/${name}`, 'differs', 'older');
    made(fallback, `there/${name}`, 'surplus');
  }
  const synced = await sync(['app', 'other']);
  t.equal(synced.end, 'done');
  t.strictSame(kinds(synced, 'copied'), ['differs', 'differs', 'missing', 'missing']);
  t.strictSame(kinds(synced, 'failed'), []);
  t.match(
    synced.events.filter(({ kind }) => kind === 'compared'),
    [
      { same: 1, surplus: 1 },
      { same: 1, surplus: 1 },
    ],
  );
  for (const name of ['app', 'other']) {
    const { surplus, ...rest } = tagsOf(fallback, `there/${name}`);
    t.ok(surplus);
    t.strictSame(rest, tagsOf(primary, name));
  }
  fallback.forget();
  t.strictSame(kinds(await sync(['app', 'other']), 'planned'), [], 'then there is nothing left to do');
  t.equal(fallback.writes, 0);
});

t.test('without copying, all is told and nothing is written', async (t) => {
  const { primary, fallback, sync } = await start(t);
  made(primary, 'app', '1');
  made(primary, 'app', '2');
  made(fallback, 'there/app', '2', 'older');
  const synced = await sync(['app'], { copy: undefined });
  t.strictSame(kinds(synced, 'planned'), ['1', '2']);
  t.strictSame(kinds(synced, 'began'), []);
  t.equal(fallback.writes, 0);
});

t.test('a tag that the other side has at another digest may be kept', async (t) => {
  const { primary, fallback, sync } = await start(t);
  made(primary, 'app', 'old');
  made(primary, 'app', 'new');
  const newer = made(fallback, 'there/app', 'old', 'newer');
  const synced = await sync(['app'], { existing: 'keep' });
  t.strictSame(kinds(synced, 'kept'), ['old']);
  t.strictSame(kinds(synced, 'copied'), ['new']);
  t.strictSame(tagsOf(fallback, 'there/app'), { old: newer.digest, new: tagsOf(primary, 'app').new });
});

t.test('also one that is pushed there while its image is on the way', async (t) => {
  const { primary, fallback, sync } = await start(t);
  made(primary, 'app', '1');
  let pushed = '';
  const push = ({ kind }: SyncEvent) => {
    if (kind === 'sent' && pushed === '') pushed = made(fallback, 'there/app', '1', 'newer').digest;
  };
  const synced = await sync(['app'], { existing: 'keep', onEvent: push });
  t.strictSame(kinds(synced, 'kept'), ['1']);
  t.strictSame(tagsOf(fallback, 'there/app'), { 1: pushed });
});

t.test('signatures are copied only with the images that pass the filter', async (t) => {
  const { primary, fallback, sync } = await start(t);
  const [wanted, other] = [made(primary, 'app', 'v1'), made(primary, 'app', 'x1')];
  const tagFor = ({ digest }: { digest: string }, end: string) => `${digest.replace(':', '-')}${end}`;
  for (const end of ['.sig', '.att', '']) made(primary, 'app', tagFor(wanted, end));
  made(primary, 'app', tagFor(other, '.sig'));
  const includeTag = (tag: string) => tag.startsWith('v');
  const expected = ['v1', ...['.sig', '.att', ''].map((end) => tagFor(wanted, end))].sort();
  t.strictSame(kinds(await sync(['app'], { includeTag, copy: undefined }), 'planned'), expected, 'in advance');
  t.strictSame(kinds(await sync(['app'], { includeTag }), 'copied'), expected);
  t.strictSame(Object.keys(tagsOf(fallback, 'there/app')).sort(), expected);
});

t.test('signatures of signatures and of children of an index are copied', async (t) => {
  const { primary, fallback, sync } = await start(t);
  const tagFor = (digest: string, end: string) => `${digest.replace(':', '-')}${end}`;
  const { digest: child, manifest } = made(primary, 'app', 'child');
  primary.store.repository('app').tags.delete('child');
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const manifests = [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: child, size: manifest.length }];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  primary.store.keepManifest('app', digest, { mediaType, bytes, artifactType: undefined as never });
  primary.store.repository('app').tags.set('v1', digest);
  const signature = made(primary, 'app', tagFor(child, '.sig'));
  const attestation = made(primary, 'app', tagFor(signature.digest, '.att'));
  const last = made(primary, 'app', tagFor(attestation.digest, '.sig'));
  made(primary, 'app', tagFor(`sha256:${'0'.repeat(64)}`, '.sig'));
  const expected = ['v1', tagFor(child, '.sig'), tagFor(signature.digest, '.att'), tagFor(attestation.digest, '.sig')];
  const includeTag = (tag: string) => tag.startsWith('v');
  t.strictSame(kinds(await sync(['app'], { includeTag, copy: undefined }), 'planned'), expected.sort(), 'in advance');
  t.strictSame(kinds(await sync(['app'], { includeTag }), 'copied'), expected.sort());
  fallback.store.repository('there/app').tags.delete(tagFor(attestation.digest, '.sig'));
  t.strictSame(kinds(await sync(['app'], { includeTag }), 'copied'), [tagFor(attestation.digest, '.sig')], last.digest);
});

t.test('one repository or image that fails does not keep the others', async (t) => {
  const { primary, fallback, sync } = await start(t);
  for (const name of ['a', 'b', 'c']) made(primary, name, '1');
  const bytes = Buffer.from('{"schemaVersion":1}');
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  primary.store.keepManifest('b', digest, { mediaType: 'x/y', bytes, artifactType: undefined as never });
  primary.store.repository('b').tags.set('old', digest);
  await primary.faults.on('errors', { status: 403, path: '/v2/a/tags' });
  const synced = await sync(['a', 'b', 'c']);
  t.equal(synced.end, 'done');
  t.match(
    synced.events.filter(({ kind }) => kind === 'failed'),
    [
      { repository: { source: 'a' }, image: undefined, reason: /harbor does not list the tags of a \(403\)/ },
      { repository: { source: 'b' }, image: { tag: 'old' }, reason: /schema 1/ },
    ],
  );
  t.strictSame(tagsOf(fallback, 'there/b'), { 1: tagsOf(primary, 'b')['1'] });
  t.strictSame(tagsOf(fallback, 'there/c'), tagsOf(primary, 'c'));
});

t.test('a named repository that does not exist is a failure; one of a catalog is not', async (t) => {
  const { primary, sync } = await start(t);
  made(primary, 'app', '1');
  t.match(kinds(await sync(['app', 'ap']), 'failed'), []);
  const synced = await sync(['app', 'ap'], { namedRepositories: true });
  t.match(
    synced.events.filter(({ kind }) => kind === 'failed'),
    [{ repository: { source: 'ap' }, reason: /harbor has no such repository/ }],
  );
});

t.test('a tag that is listed and cannot be had is missing', async (t) => {
  const { primary, sync } = await start(t);
  const { digest } = made(primary, 'app', '1');
  made(primary, 'app', '2');
  primary.store.repository('app').manifests.delete(digest);
  const synced = await sync(['app']);
  t.match(
    synced.events.filter(({ kind }) => kind === 'failed'),
    [{ image: { tag: '1' }, reason: 'harbor listed app:1, and does not have it' }],
  );
  t.strictSame(kinds(synced, 'copied'), ['2']);
});

t.test('a source whose storage goes away meanwhile is not taken for one that has no more', async (t) => {
  const { primary, fallback, sync } = await start(t);
  const names = Array.from({ length: 30 }, (_, index) => `app${index}`);
  for (const name of names) made(primary, name, '1');
  const copyLast: SyncOptions['copyLast'] = ({ repository: { source } }) => source === 'app1';
  const lose = ({ kind }: SyncEvent) => {
    if (kind === 'copied') void primary.faults.on('storageGone');
  };
  const synced = await sync(names, { onEvent: lose, copyLast });
  t.match(
    synced.events.filter((event) => event.kind === 'failed' && /its lists were incomplete/.test(event.reason)),
    [{ repository: { source: /^app/ } }],
  );
  t.ok(kinds(synced, 'copied').length < 30);
  t.notOk(fallback.store.repositories.get('there/app1')?.tags.has('1'), 'nothing tells that all is there');
});

t.test('storage that may not be read is no break-off that is tried again', async (t) => {
  const { primary, sync } = await start(t, { downloads: 'redirect', redirectTo: 'http://localhost:1' });
  made(primary, 'app', '1');
  const synced = await sync(['app']);
  t.match(
    synced.events.filter(({ kind }) => kind === 'failed'),
    [{ reason: /harbor does not serve the blob sha256:.*: redirects\.hosts does not name localhost/ }],
  );
  t.ok(primary.requests.filter(({ kind }) => kind === 'blob').length <= 3, 'each blob was asked for once');
});

t.test('a tag of copyLast is copied when all others are there', async (t) => {
  const { primary, fallback, sync } = await start(t);
  for (const name of ['a', 'b', 'c']) for (const tag of ['1', '2']) made(primary, name, tag);
  const copyLast: SyncOptions['copyLast'] = ({ repository: { target }, tag }) => `${target}:${tag}` === 'there/b:1';
  await primary.faults.on('errors', { status: 403, path: '/v2/c/tags' });
  const failed = await sync(['a', 'b', 'c'], { copyLast });
  t.match(
    failed.events.filter(({ kind }) => kind === 'failed'),
    [{ image: undefined }, { image: { tag: '1' }, reason: /skipped, because .* but 1 failed/ }],
  );
  t.strictSame(Object.keys(tagsOf(fallback, 'there/b')), ['2']);
  await primary.faults.off();
  fallback.forget();
  t.strictSame(kinds(await sync(['a', 'b', 'c'], { copyLast }), 'failed'), []);
  t.match(fallback.requests.findLast(({ method }) => method === 'PUT')?.url, /there\/b\/manifests\/1$/);
});

t.test('an interruption leaves no tag without its image, and comes to an end at once', async (t) => {
  const { primary, fallback, sync } = await start(t);
  const names = Array.from({ length: 10 }, (_, index) => `app${index}`);
  for (const [index, name] of names.entries()) primary.seed(name, '1', { blobs: [200_000 + index, 300_000 + index] });
  await primary.faults.on('slow', { bytesPerSecond: 400_000 });
  const abort = new AbortController();
  let copied = 0;
  const stop = ({ kind }: SyncEvent) => {
    copied += kind === 'copied' ? 1 : 0;
    if (copied === 3) abort.abort();
  };
  const synced = await sync(names, { onEvent: stop }, abort.signal);
  t.equal(synced.end, 'interrupted');
  t.strictSame(kinds(synced, 'failed'), [], 'that it was interrupted is no failure of the images');
  const there = names.filter((name) => fallback.store.repositories.get(`there/${name}`)?.tags.has('1'));
  t.ok(there.length >= 3 && there.length < 10, `${there.length}`);
  for (const name of there)
    t.strictSame(
      [...fallback.store.repository(`there/${name}`).blobs.keys()].sort(),
      [...primary.store.repository(name).blobs.keys()].sort(),
    );
  await primary.faults.off();
  const again = await sync(names);
  // What was being put when it was interrupted may have come in since.
  t.ok(kinds(again, 'copied').length <= 10 - there.length, 'the next one goes on');
  for (const name of names) t.ok(fallback.store.repository(`there/${name}`).tags.has('1'), name);
});

t.test('when nothing goes any more it is given up', async (t) => {
  const { primary, fallback, sync } = await start(t, {}, { limit: 20 });
  for (let index = 0; index < 40; index += 1) made(primary, 'app', `v${index}`);
  await fallback.faults.on('errors', { status: 500, kind: 'upload' });
  const synced = await sync(['app']);
  t.equal(synced.end, 'gave-up');
  const failed = kinds(synced, 'failed').length;
  t.ok(failed >= 8 && failed <= 10, `${failed} of 40 failed`);
});

t.test('also where nothing can be compared any more', async (t) => {
  const { primary, fallback, sync } = await start(t, {}, { limit: 20 });
  const names = Array.from({ length: 100 }, (_, index) => `app${index}`);
  for (const name of names) made(primary, name, '1');
  await fallback.faults.on('errors', { status: 500 });
  const synced = await sync(names, { copy: undefined });
  t.equal(synced.end, 'gave-up');
  const failed = kinds(synced, 'failed').length;
  t.ok(failed >= 8 && failed <= 16, `${failed} of 100 failed`);
  await fallback.faults.on('errors', { status: 403 });
  t.equal((await sync(names, { copy: undefined })).end, 'done', 'a refusal is about one of them');
});

t.test('an error of the repository list is thrown after the work before it', async (t) => {
  const { primary, fallback } = await start(t);
  made(primary, 'app', '1');
  const [source, target] = [remoteRegistry(t, 'harbor', primary.url), remoteRegistry(t, 'gcr', fallback.url)];
  async function* broken(): AsyncGenerator<RepositoryPair> {
    yield { source: 'app', target: 'app' };
    throw new Error('the second page');
  }
  const events: SyncEvent[] = [];
  const copy = new ImageCopy({ concurrentBlobs: 1 });
  const sync = new Sync({ source, target, copy, images: 1, onEvent: (event) => void events.push(event) });
  await t.rejects(sync.run(broken(), new AbortController().signal), /the second page/);
  t.equal(events.at(-1)?.kind, 'copied');
});
