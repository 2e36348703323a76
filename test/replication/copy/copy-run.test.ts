import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { type LabRegistry, startLabRegistry } from '../../../src/lab/registry.ts';
import { ImageCopy } from '../../../src/replication/copy/image-copy.ts';
import { type FrontRule, RegistryFront } from '../../helpers/registry-front.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';
import { until } from '../../helpers/until.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

interface Rules {
  source?: FrontRule;
  target?: FrontRule;
  blobs?: number;
}

/** Two registries of the lab behind fronts that can do anything. */
async function site(t: Test, { source: from, target: to, blobs: concurrentBlobs = 4 }: Rules = {}) {
  const [primary, fallback] = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const remote = async (name: string, { host, port }: LabRegistry, rule: FrontRule = async () => 'pass') => {
    const front = await new RegistryFront(t, rule).listen();
    front.before(`${host}:${port}`);
    return remoteRegistry(t, name, `http://${front.address}`);
  };
  const [source, target] = [await remote('harbor', primary, from), await remote('gcr', fallback, to)];
  const images = new ImageCopy({ concurrentBlobs });
  const abort = new AbortController();
  t.teardown(() => abort.abort());
  const copy = (reference: string, repository = 'app', signal = abort.signal) =>
    images.copy(
      { source: { registry: source, repository }, target: { registry: target, repository }, reference },
      signal,
    );
  return { primary, fallback, source, target, copy };
}

function keep(registry: LabRegistry, content: object, tag: string | undefined, mediaType = MANIFEST): string {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  registry.store.keepManifest('app', digest, { mediaType, bytes });
  if (tag !== undefined) registry.store.repository('app').tags.set(tag, digest);
  return digest;
}

t.test('a registry that claims a mount without having the blob', async (t) => {
  const lies: FrontRule = async ({ url = '' }, response) => {
    if (!url.includes('mount=')) return 'pass';
    response.writeHead(201, { 'content-length': '0', location: '/x' }).end();
    return 'answered';
  };
  const { primary, fallback, copy } = await site(t, { target: lies });
  const { digest } = primary.seed('app', '1', { blobs: [2000, 3000] });
  primary.seed('other', '1', { blobs: [2000, 3000] });
  t.match(await copy('1'), { outcome: 'copied' });
  t.match(await copy('1', 'other'), { outcome: 'copied' }, 'what is missing is brought after all');
  t.ok(fallback.store.manifest('other', '1'));
  t.equal(fallback.store.manifest('app', '1')?.digest, digest);
});

t.test('a child that is there without its blobs', async (t) => {
  const { primary, fallback, copy } = await site(t);
  const child = primary.seed('app', 'amd', { blobs: [2000] });
  const index = keep(primary, { manifests: [{ mediaType: MANIFEST, digest: child.digest, size: 1 }] }, 'all', INDEX);
  fallback.seed('app', 'amd', { blobs: [2000] });
  for (const digest of child.blobDigests) fallback.store.removeBlob('app', digest);
  t.match(await copy('all'), { outcome: 'copied', digest: index });
  t.ok(child.blobDigests.every((digest) => fallback.store.blob('app', digest)));
});

t.test('one blob that fails: the others end, and nothing goes on afterwards', async (t) => {
  let [open, begun] = [0, 0];
  let bad = '';
  const watched: FrontRule = async ({ url = '' }, response) => {
    if (!url.includes('/blobs/')) return 'pass';
    begun += 1;
    open += 1;
    response.once('close', () => {
      open -= 1;
    });
    if (!url.endsWith(bad)) return 'pass';
    response.writeHead(403, { 'content-length': '0' }).end();
    return 'answered';
  };
  const { primary, fallback, copy } = await site(t, { source: watched, blobs: 2 });
  const sizes = Array.from({ length: 12 }, (_, index) => 2_000_000 + index);
  const { blobDigests } = primary.seed('app', '1', { blobs: sizes });
  bad = blobDigests[0] ?? '-';
  await t.rejects(copy('1'), { name: 'CopyError', status: 403 });
  t.equal(open, 0, 'no transfer continues after the error');
  t.ok(begun < 12, `${begun} of 13 were begun`);
  t.equal(fallback.store.repository('app').tags.size, 0);
});

t.test('an image with many blobs leaves room for others', async (t) => {
  const { primary, copy } = await site(t, { blobs: 2 });
  primary.seed('app', 'big', { blobs: Array.from({ length: 60 }, (_, index) => 1000 + index) });
  primary.seed('other', 'small', { blobs: [10] });
  const order: string[] = [];
  const big = copy('big').then(() => order.push('big'));
  const small = copy('small', 'other').then(() => order.push('small'));
  await Promise.all([big, small]);
  t.strictSame(order, ['small', 'big']);
});

t.test('a HEAD that tells a wrong digest', async (t) => {
  const lie = `sha256:${'f'.repeat(64)}`;
  const wrong: FrontRule = async ({ method, url = '' }, response) => {
    if (method !== 'HEAD' || !url.includes('/manifests/1')) return 'pass';
    response.writeHead(200, { 'docker-content-digest': lie, 'content-length': '5' }).end();
    return 'answered';
  };
  const { primary, fallback, copy } = await site(t, { source: wrong });
  const { digest } = primary.seed('app', '1', { blobs: [2000] });
  t.match(await copy('1'), { outcome: 'copied', digest }, 'of the source: what is read is believed');
  t.equal(fallback.store.manifest('app', '1')?.digest, digest);
});

t.test('a registry that makes something else of a manifest', async (t) => {
  const converts: FrontRule = async ({ method, url = '' }, response) => {
    if (method !== 'PUT' || !url.includes('/manifests/')) return 'pass';
    const headers = { 'docker-content-digest': `sha256:${'e'.repeat(64)}`, 'content-length': '0' };
    response.writeHead(201, headers).end();
    return 'answered';
  };
  const { primary, copy } = await site(t, { target: converts });
  primary.seed('app', '1', { blobs: [20] });
  await t.rejects(copy('1'), { message: /refuses the manifest app:1 as it is: it makes sha256:eeee/ });
});

t.test('a tag that moves while it is put', async (t) => {
  let moves = 3;
  let move = () => {};
  const moving: FrontRule = async ({ method, url = '' }) => {
    if (method === 'PUT' && url.endsWith('/manifests/1') && moves > 0) {
      moves -= 1;
      move();
    }
    return 'pass';
  };
  const { primary, fallback, copy } = await site(t, { target: moving });
  let number = 0;
  move = () => {
    number += 1;
    primary.seed('app', '1', { blobs: [20], annotations: { number: String(number) } });
  };
  move();
  t.match(await copy('1'), { outcome: 'copied' });
  t.equal(number, 4);
  t.equal(fallback.store.manifest('app', '1')?.digest, primary.store.manifest('app', '1')?.digest);
});

t.test('a manifest that is too large is refused by its name, and once', async (t) => {
  const { primary, fallback, copy } = await site(t);
  const blob = primary.store.addBlob('app', Buffer.from('x'));
  const annotations = { large: 'x'.repeat(4.5 * 1_048_576) };
  keep(primary, { config: { mediaType: 'a/b', digest: blob, size: 1 }, layers: [], annotations }, 'large');
  await t.rejects(copy('large'), { message: /gcr refuses the manifest app:large \(413/, retryable: false });
  t.equal(fallback.requests.filter(({ method, url }) => method === 'PUT' && url.includes('manifests')).length, 1);
});

t.test('an index of indexes that name each other a thousandfold', async (t) => {
  const { primary, copy } = await site(t);
  const leaf = primary.seed('app', 'leaf', { blobs: [10] });
  let level = [{ mediaType: MANIFEST, digest: leaf.digest, size: 1 }];
  for (let depth = 0; depth < 3; depth += 1)
    level = Array.from({ length: 30 }, (_, index) => {
      const annotations = { index: String(index), depth: String(depth) };
      return { mediaType: INDEX, digest: keep(primary, { manifests: level, annotations }, undefined, INDEX), size: 1 };
    });
  keep(primary, { manifests: level }, 'top', INDEX);
  t.match(await copy('top'), { outcome: 'copied', manifests: 92 }, 'each once');
  const deep = (digest: string, left: number): string =>
    left === 0
      ? digest
      : deep(keep(primary, { manifests: [{ mediaType: INDEX, digest, size: 1 }] }, undefined, INDEX), left - 1);
  primary.store.repository('app').tags.set('deep', deep(leaf.digest, 8));
  await t.rejects(copy('deep'), { message: /deeper than 4 levels/, retryable: false });
});

t.test('referrers of referrers', async (t) => {
  const { primary, fallback, copy } = await site(t);
  const image = primary.seed('app', '1', { blobs: [10] });
  const about = async (digest: string, name: string) => {
    const config = { digest: primary.store.addBlob('app', Buffer.from(name)), size: name.length, mediaType: 'a/b' };
    const subject = { mediaType: MANIFEST, digest, size: 1 };
    const bytes = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [], subject });
    const found = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const url = `${primary.url}/v2/app/manifests/${found}`;
    t.equal((await fetch(url, { method: 'PUT', body: bytes, headers: { 'content-type': MANIFEST } })).status, 201);
    return found;
  };
  const sbom = await about(image.digest, 'sbom');
  const signature = await about(sbom, 'signature of the sbom');
  t.match(await copy('1'), { manifests: 3 });
  t.ok(fallback.store.manifest('app', signature));
});

t.test('an aborted copy ends at once', async (t) => {
  const { primary, fallback, copy } = await site(t);
  primary.seed('app', '1', { blobs: [3_000_000] });
  await fallback.faults.on('frozen', { kind: 'upload' });
  const abort = new AbortController();
  const copying = t.rejects(copy('1', 'app', abort.signal), { message: 'enough' });
  await until(() => fallback.requests.some(({ kind }) => kind === 'upload'), { what: () => 'an upload' });
  abort.abort(new Error('enough'));
  await copying;
});

t.test('an aborted copy does not stop another one that waits for the same blob', async (t) => {
  const { primary, fallback, copy } = await site(t);
  for (const name of ['app', 'other']) primary.seed(name, '1', { blobs: [3_000_000] });
  await fallback.faults.on('frozen', { kind: 'upload' });
  const abort = new AbortController();
  const first = t.rejects(copy('1', 'app', abort.signal), { message: 'enough' });
  const second = copy('1', 'other');
  await until(() => fallback.requests.some(({ kind }) => kind === 'upload'), { what: () => 'an upload' });
  abort.abort(new Error('enough'));
  await fallback.faults.off();
  await first;
  t.match(await second, { outcome: 'copied' });
});
