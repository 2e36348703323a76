import { createHash } from 'node:crypto';
import t from 'tap';
import type { Seeded } from '../../src/lab/seed.ts';
import type { Store } from '../../src/lab/store.ts';
import { type ReplicatedSite, startReplicatedSite } from './replicated-site.ts';

// Where the fallback has no referrers API, its list is a tag that copies keep up to date.

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const EMPTY = Buffer.from('{}');

const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const tagOf = ({ digest }: Seeded) => digest.replace(':', '-');
const toFallback = { primary: { referrers: true }, fallback: { referrers: false } };

/** Puts an artifact about an image in. @param type undefined: it names no subject, as before there was one */
function attach({ primary: { store } }: ReplicatedSite, image: Seeded, artifactType: string, listed = true): string {
  const config = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: store.addBlob('library/app', EMPTY),
    size: 2,
  };
  const subject = { mediaType: MANIFEST, digest: image.digest, size: image.manifest.length };
  const manifest = { schemaVersion: 2, mediaType: MANIFEST, artifactType, config, layers: [] };
  const bytes = Buffer.from(JSON.stringify(listed ? { ...manifest, subject } : manifest));
  const kept = { mediaType: MANIFEST, bytes, subject: listed ? image.digest : undefined, artifactType };
  store.keepManifest('library/app', sha256(bytes), kept);
  return sha256(bytes);
}

/** Writes the index that clients keep where there is no API. */
function putIndex({ primary: { store } }: ReplicatedSite, image: Seeded, ...digests: string[]): string {
  const manifests = digests.map((digest) => {
    const size = store.manifest('library/app', digest)?.manifest.bytes.length;
    return { mediaType: MANIFEST, digest, size, artifactType: 'a/x' };
  });
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
  store.keepManifest('library/app', sha256(bytes), { mediaType: INDEX, bytes });
  store.setTag('library/app', tagOf(image), sha256(bytes));
  return sha256(bytes);
}

function storeOf(site: ReplicatedSite): Store {
  const fallback = site.fallbacks.get('gcr');
  if (!fallback) throw new Error('no fallback');
  return fallback.store;
}

/** What the fallback lists under the tag, sorted. */
function listed(site: ReplicatedSite, image: Seeded): string[] {
  const found = storeOf(site).manifest('project/app', tagOf(image));
  const { manifests } = JSON.parse(String(found?.manifest.bytes ?? '{"manifests":[]}'));
  return manifests.map(({ digest }: { digest: string }) => digest).sort();
}

t.test('a list that clients overwrite is copied, whichever side has the API', async (t) => {
  for (const [primary, fallback] of [
    [false, true],
    [false, false],
  ] as const) {
    const site = await startReplicatedSite(t, { primary: { referrers: primary }, fallback: { referrers: fallback } });
    const image = site.primary.seed('library/app', '1', { blobs: [10] });
    const edge = site.edge();
    const all: string[] = [];
    for (const type of ['a/sbom', 'a/signature', 'a/scan']) {
      all.push(attach(site, image, type));
      const digest = putIndex(site, image, ...all);
      await edge.compare();
      t.equal(site.digest(tagOf(image)), digest);
      t.ok(all.every((one) => storeOf(site).manifest('project/app', one)));
    }
    const fewer = putIndex(site, image, all[0] ?? '');
    await edge.compare();
    t.equal(site.digest(tagOf(image)), fewer, 'what is removed from it is gone');
  }
});

t.test('a primary with the API that still has a list from before', async (t) => {
  const site = await startReplicatedSite(t, toFallback);
  const image = site.primary.seed('library/app', '1', { blobs: [10] });
  const [old, signature] = [attach(site, image, 'a/old', false), attach(site, image, 'a/signature')];
  putIndex(site, image, old);
  const edge = site.edge();
  for (const says of ['the first comparison', 'the second one', 'the third one']) {
    await edge.compare();
    t.strictSame(listed(site, image), [old, signature].sort(), says);
    t.match(edge.replicator.view().routes, [{ coverage: { ratio: 1, tags: 2 }, failing: 0 }], says);
  }
  t.match(edge.replicator.view().routes, [{ reconcile: { gaps: 0 } }], 'it is in step');
  const later = attach(site, image, 'a/scan');
  edge.hint('library/app', later, 'push');
  await edge.idle();
  const writes = site.fallbacks.get('gcr')?.writes;
  await edge.compare();
  t.strictSame(listed(site, image), [old, signature, later].sort());
  t.equal(site.fallbacks.get('gcr')?.writes, writes, 'nothing is written again');
  const other = attach(site, image, 'a/other', false);
  putIndex(site, image, old, other);
  edge.hint('library/app', tagOf(image), 'push');
  await edge.idle();
  t.strictSame(
    listed(site, image),
    [old, signature, later, other].sort(),
    'a list that is overwritten takes nothing away',
  );
});

t.test('what is deleted on the primary is listed no more', async (t) => {
  const site = await startReplicatedSite(t, toFallback);
  const image = site.primary.seed('library/app', '1', { blobs: [10] });
  const [sbom, signature] = [attach(site, image, 'a/sbom'), attach(site, image, 'a/signature')];
  const edge = site.edge();
  await edge.compare();
  t.strictSame(listed(site, image), [sbom, signature].sort());
  site.primary.store.removeManifest('library/app', sbom);
  edge.hint('library/app', sbom, 'delete');
  await edge.idle();
  t.strictSame(listed(site, image), [signature]);
  t.notOk(storeOf(site).manifest('project/app', sbom));
});

t.test('a repository that is gone says nothing of the registry', async (t) => {
  const site = await startReplicatedSite(t, { primary: { referrers: true } });
  const image = site.primary.seed('library/app', '1', { blobs: [10] });
  const signature = attach(site, image, 'a/signature');
  // As Harbor and others answer for a repository that does not exist.
  await site.primary.faults.on('errors', { status: 404, path: '/library/gone/' });
  const edge = site.edge();
  edge.hint('library/gone', tagOf(image), 'delete');
  await edge.idle();
  edge.hint('library/app', '1', 'push');
  await edge.idle();
  t.ok(storeOf(site).manifest('project/app', signature), 'signatures are copied');
});
