import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { type LabRegistry, type LabRegistryOptions, startLabRegistry } from '../../../src/lab/registry.ts';
import type { CopyProgress } from '../../../src/replication/copy/copy-job.ts';
import { ImageCopy } from '../../../src/replication/copy/image-copy.ts';
import { CopyError } from '../../../src/replication/copy-error.ts';
import type { RemoteRegistry } from '../../../src/replication/registry/remote-registry.ts';
import { type RemoteOptions, remoteRegistry } from '../../helpers/remote-registry.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

interface Pair {
  primary: LabRegistry;
  fallback: LabRegistry;
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** Copies `app` to `there/app`. */
  copy: (reference: string, from?: string, progress?: CopyProgress) => ReturnType<ImageCopy['copy']>;
  signal: AbortSignal;
}

async function start(
  t: Test,
  options: {
    primary?: LabRegistryOptions;
    fallback?: LabRegistryOptions;
    from?: RemoteOptions;
    to?: RemoteOptions;
  } = {},
): Promise<Pair> {
  const [primary, fallback] = await Promise.all([
    startLabRegistry(options.primary),
    startLabRegistry(options.fallback),
  ]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const source = remoteRegistry(t, 'harbor', primary.url, options.from);
  const target = remoteRegistry(t, 'gcr', fallback.url, options.to);
  const images = new ImageCopy({ concurrentBlobs: 4 });
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  const copy = (reference: string, from = 'app', progress?: CopyProgress) =>
    images.copy(
      {
        source: { registry: source, repository: from },
        target: { registry: target, repository: `there/${from}` },
        reference,
      },
      abort.signal,
      progress,
    );
  return { primary, fallback, source, target, copy, signal: abort.signal };
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Puts a manifest of any kind into a registry. @returns its digest */
function keep(registry: LabRegistry, repository: string, content: object, tag?: string, mediaType = MANIFEST): string {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  const digest = sha256(bytes);
  registry.store.keepManifest(repository, digest, { mediaType, bytes, artifactType: undefined as never });
  if (tag !== undefined) registry.store.repository(repository).tags.set(tag, digest);
  return digest;
}

/** What a registry has of a repository. */
function has({ store }: LabRegistry, repository: string) {
  const { tags, manifests, blobs } = store.repository(repository);
  return { tags: new Map(tags), manifests: [...manifests.keys()].sort(), blobs: [...blobs.keys()].sort() };
}

t.test('an image, byte for byte; then nothing is left to do', async (t) => {
  const { primary, fallback, copy } = await start(t);
  const image = primary.seed('app', '1', { blobs: [100_000, 0, 5] });
  const sent: number[] = [];
  const copied = await copy('1', 'app', { sent: (bytes) => sent.push(bytes) });
  t.match(copied, {
    outcome: 'copied',
    digest: image.digest,
    manifests: 1,
    blobs: { uploaded: 4, mounted: 0, there: 0 },
  });
  t.strictSame(has(fallback, 'there/app'), has(primary, 'app'));
  t.equal(
    sent.reduce((sum, bytes) => sum + bytes, 0),
    copied.bytes,
  );
  fallback.forget();
  t.match(await copy('1'), { outcome: 'same', digest: image.digest, manifests: 0 });
  t.equal(fallback.writes, 0);
  t.match(await copy('no-such-tag'), { outcome: 'absent', digest: undefined });
  t.match(await copy('1', 'no/such'), { outcome: 'absent' });
});

t.test('an index with its images, an artifact, a list of lists', async (t) => {
  const { primary, fallback, copy } = await start(t);
  const [arm, amd] = [primary.seed('app', 'arm', { blobs: [10, 20] }), primary.seed('app', 'amd', { blobs: [10, 30] })];
  const child = ({ digest, manifest }: typeof arm) => ({ mediaType: MANIFEST, digest, size: manifest.length });
  const inner = keep(primary, 'app', { manifests: [child(arm), child(amd)] }, undefined, INDEX);
  const outer = keep(primary, 'app', { manifests: [{ mediaType: INDEX, digest: inner, size: 1 }] }, 'all', INDEX);
  t.match(await copy('all'), { outcome: 'copied', digest: outer, manifests: 4 });
  t.strictSame([...has(fallback, 'there/app').tags], [['all', outer]], 'children have no tags there');
  t.strictSame(has(fallback, 'there/app').manifests, [arm.digest, amd.digest, inner, outer].sort());
  const puts = fallback.requests.filter(({ method, url }) => method === 'PUT' && url.includes('/manifests/'));
  t.match(puts.at(-1)?.url, /manifests\/all$/, 'the tag is the last of all');
  t.match(await copy(arm.digest), { outcome: 'same' }, 'by digest');

  const blob = primary.store.addBlob('app', Buffer.from('signature'));
  keep(
    primary,
    'app',
    { config: { digest: blob, size: 9, mediaType: 'a/b' }, layers: [] },
    `sha256-${'a'.repeat(64)}.sig`,
  );
  t.match(await copy(`sha256-${'a'.repeat(64)}.sig`), { outcome: 'copied' });
});

/** Pushes an SBOM of an image. @returns its digest */
async function attach(
  { url, store }: LabRegistry,
  repository: string,
  image: { digest: string; manifest: Buffer },
): Promise<string> {
  const config = { digest: store.addBlob(repository, Buffer.from('{}')), size: 2, mediaType: 'a/b' };
  const subject = { mediaType: MANIFEST, digest: image.digest, size: image.manifest.length };
  const what = { schemaVersion: 2, mediaType: MANIFEST, artifactType: 'a/sbom', config, layers: [], subject };
  const body = Buffer.from(JSON.stringify(what));
  const put = { method: 'PUT', body, headers: { 'content-type': MANIFEST } };
  const { status } = await fetch(`${url}/v2/${repository}/manifests/${sha256(body)}`, put);
  if (status !== 201) throw new Error(`the SBOM was answered with ${status}`);
  return sha256(body);
}

t.test('referrers are copied with an image, and before its tag', async (t) => {
  const { primary, fallback, copy } = await start(t);
  const image = primary.seed('app', '1', { blobs: [10] });
  const sbom = await attach(primary, 'app', image);
  t.match(await copy('1'), { outcome: 'copied', manifests: 2 });
  const listed = await (await fetch(`${fallback.url}/v2/there/app/referrers/${image.digest}`)).json();
  t.strictSame(
    (listed as { manifests: { digest: string }[] }).manifests.map(({ digest }) => digest),
    [sbom],
  );
  const puts = fallback.requests.filter(({ method, url }) => method === 'PUT' && url.includes('/manifests/'));
  t.strictSame(
    puts.map(({ url }) => url.replace(/.*\//, '')),
    [sbom, '1'],
  );
});

t.test('a referrer that cannot be read does not stop the image, and is reported', async (t) => {
  const { primary, fallback, copy } = await start(t, { from: { limit: 20 } });
  const image = primary.seed('app', '1', { blobs: [10] });
  const sbom = await attach(primary, 'app', image);
  await primary.faults.on('errors', { status: 500, path: '/referrers/' });
  await t.rejects(copy('1'), /referrers/);
  t.equal(has(fallback, 'there/app').tags.get('1'), image.digest, 'the image can be pulled');
  await t.rejects(copy('1'), /referrers/, 'it is not taken for whole');
  await primary.faults.off();
  t.match(await copy('1'), { outcome: 'copied', manifests: 1 });
  t.ok(has(fallback, 'there/app').manifests.includes(sbom));
  t.match(await copy('1'), { outcome: 'same', manifests: 0 });
});

t.test('a blob that another repository has is mounted, and asked for once', async (t) => {
  const { primary, fallback, copy } = await start(t);
  for (const name of ['app', 'other', 'third']) primary.seed(name, '1', { blobs: [50_000, 60_000] });
  const results = await Promise.all(['app', 'other', 'third'].map((name) => copy('1', name)));
  t.equal(
    results.reduce((sum, { blobs }) => sum + blobs.uploaded, 0),
    3,
    'each blob once',
  );
  t.equal(
    results.reduce((sum, { blobs }) => sum + blobs.mounted, 0),
    6,
  );
  t.equal(primary.requests.filter(({ kind }) => kind === 'blob').length, 3);
  for (const name of ['app', 'other', 'third']) t.strictSame(has(fallback, `there/${name}`), has(primary, name));
});

t.test('blobs that the fallback has are not sent', async (t) => {
  const { primary, fallback, copy } = await start(t);
  const { blobDigests } = primary.seed('app', '1', { blobs: [50_000, 60_000] });
  fallback.seed('there/app', 'older', { blobs: [50_000] });
  t.match(await copy('1'), { blobs: { uploaded: 2, there: 1 } });
  t.ok(has(fallback, 'there/app').blobs.includes(blobDigests[0] ?? ''));
});

t.test('blobs that were known to be there, and are not any more, are brought again', async (t) => {
  const { primary, fallback, copy } = await start(t);
  const first = primary.seed('app', '1', { blobs: [50_000] });
  t.match(await copy('1'), { outcome: 'copied' });
  for (const digest of [...first.blobDigests, first.configDigest]) fallback.store.removeBlob('there/app', digest);
  fallback.store.removeManifest('there/app', first.digest);
  t.match(await copy('1'), { outcome: 'copied' });
  t.strictSame(has(fallback, 'there/app'), has(primary, 'app'));
});

t.test('a source that breaks off, stalls or answers nonsense for a while', async (t) => {
  const { primary, fallback, copy } = await start(t);
  const { blobDigests } = primary.seed('app', '1', { blobs: [1_000_000] });
  await primary.faults.on('cut', { bytes: 400_000, times: 2 });
  t.match(await copy('1'), { outcome: 'copied' });
  const asked = primary.requests.filter(({ url }) => url.endsWith(blobDigests[0] ?? '-'));
  t.ok(asked.length >= 2, 'asked again');
  t.match(asked.at(-1)?.headers.range, /^bytes=[1-9]\d*-$/, 'from where it broke off');
  t.strictSame(has(fallback, 'there/app'), has(primary, 'app'));

  primary.seed('app', '2', { blobs: [2_000_000] });
  await primary.faults.on('errors', { status: 503, times: 5 });
  await fallback.faults.on('errors', { status: 500, times: 5 });
  t.match(await copy('2'), { outcome: 'copied' });
  t.strictSame(has(fallback, 'there/app'), has(primary, 'app'));
});

t.test('a wrong blob never arrives', async (t) => {
  const { primary, fallback, copy } = await start(t);
  primary.seed('app', '1', { blobs: [300_000] });
  await primary.faults.on('corrupt', { bytes: 1000 });
  await t.rejects(copy('1'), {
    name: 'CopyError',
    message: /harbor has wrong bytes in the blob sha256:/,
    retryable: false,
  });
  t.strictSame(has(fallback, 'there/app').tags.size, 0);
  t.equal(has(fallback, 'there/app').blobs.length <= 1, true, 'at most the configuration');
  await primary.faults.off('corrupt');
  await primary.faults.on('wrongLength', { bytes: 10 });
  await t.rejects(copy('1'), CopyError);
  t.strictSame(has(fallback, 'there/app').tags.size, 0);
});

t.test('the error names what cannot be copied', async (t) => {
  const { primary, copy } = await start(t);
  const old = { schemaVersion: 1, fsLayers: [] };
  keep(primary, 'app', old, 'old', 'application/vnd.docker.distribution.manifest.v1+prettyjws');
  await t.rejects(copy('old'), { message: /schema 1/, retryable: false });
  const digest = `sha256:${'b'.repeat(64)}`;
  keep(primary, 'app', { layers: [{ digest, size: 5, mediaType: 'x/y' }] }, 'broken');
  await t.rejects(copy('broken'), { message: /harbor does not serve the blob sha256:bbbb.* \(404/, retryable: false });
  keep(primary, 'app', { manifests: [{ digest, size: 5, mediaType: MANIFEST }] }, 'holes', INDEX);
  await t.rejects(copy('holes'), { message: /harbor lacks app@sha256:bbb/ });
  const foreign = {
    digest,
    size: 5,
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    urls: ['https://x'],
  };
  keep(primary, 'app', { layers: [foreign] }, 'windows');
  t.match(await copy('windows'), { outcome: 'copied' }, 'foreign layers are left alone');
});

t.test('a registry that answers 429 is left alone as long as it asks', async (t) => {
  const { primary, fallback, copy } = await start(t, { to: { limit: 10_000 } });
  primary.seed('app', '1', { blobs: [1000] });
  await fallback.faults.on('rateLimited', { retryAfter: 1, times: 1 });
  const began = performance.now();
  t.match(await copy('1'), { outcome: 'copied' });
  t.ok(performance.now() - began >= 990, 'it was');
});

t.test('an upload that fails for good says why', async (t) => {
  const { primary, fallback, copy } = await start(t);
  primary.seed('app', '1', { blobs: [1000] });
  await fallback.faults.on('readOnly');
  await t.rejects(copy('1'), { message: /gcr does not start an upload to there\/app \(403: / });
});

t.test('with credentials, by token and by Basic', async (t) => {
  for (const scheme of ['bearer', 'basic'] as const) {
    const user = { username: 'robot$copy', password: 'c0py' };
    const auth = { scheme, users: [user] };
    const both = { primary: { auth }, fallback: { auth }, from: { credentials: user }, to: { credentials: user } };
    const { primary, fallback, copy } = await start(t, both);
    for (const name of ['app', 'other']) primary.seed(name, '1', { blobs: [70_000] });
    for (const name of ['app', 'other']) t.match(await copy('1', name), { outcome: 'copied' }, `${scheme}: ${name}`);
    t.strictSame(has(fallback, 'there/other'), has(primary, 'other'));
  }
});

t.test('a tag that moves while it is copied ends where it is', async (t) => {
  const { primary, fallback, copy } = await start(t);
  let number = 0;
  const move = () => {
    number += 1;
    return primary.seed('app', '1', { blobs: [20_000], annotations: { number: String(number) } });
  };
  move();
  const copying = copy('1', 'app', { sent: () => void (number < 10 && move()) });
  t.match(await copying, { outcome: 'copied' });
  t.equal(has(fallback, 'there/app').tags.get('1'), primary.store.repository('app').tags.get('1'));
});

t.test('lists', async (t) => {
  const { primary, source, signal } = await start(t, { primary: { pageSize: 2 } });
  for (const name of ['a', 'b/c', 'd', 'e', 'f']) primary.seed(name, '1', { blobs: [1] });
  for (const tag of ['2', '3', '4', '5']) primary.seed('d', tag, { blobs: [1] });
  const names: string[] = [];
  for await (const name of source.repositories(signal)) names.push(name);
  t.strictSame(names, ['a', 'b/c', 'd', 'e', 'f']);
  t.strictSame((await source.tags('d', signal)).map(({ tag }) => tag).sort(), ['1', '2', '3', '4', '5']);
  t.strictSame(await source.tags('no/such', signal), []);
});
