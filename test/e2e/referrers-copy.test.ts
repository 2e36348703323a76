import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { type LabRegistry, startLabRegistry } from '../../src/lab/registry.ts';
import { ImageCopy } from '../../src/replication/copy/image-copy.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { remoteRegistry } from '../helpers/remote-registry.ts';
import { missing } from '../helpers/tool.ts';

// From a registry that lists what refers to an image to one that cannot (docker-registry 2.8), where clients look for a tag.

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

interface Thing {
  digest: string;
  size: number;
}

async function start(t: Test) {
  const primary = await startLabRegistry();
  t.teardown(() => primary.close());
  const fallback = await startRegistry(t);
  const source = { registry: remoteRegistry(t, 'harbor', primary.url), repository: 'app' };
  const target = { registry: remoteRegistry(t, 'fallback', fallback.url), repository: 'there/app' };
  const images = new ImageCopy({ concurrentBlobs: 4 });
  const copy = (reference: string) => images.copy({ source, target, reference }, new AbortController().signal);
  return { primary, fallback, copy };
}

/** Pushes an artifact about something. */
async function attach(primary: LabRegistry, subject: Thing, artifactType: string, annotations = {}): Promise<Thing> {
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: '', size: 2 };
  config.digest = primary.store.addBlob('app', Buffer.from('{}'));
  const body = Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: MANIFEST, artifactType, config, layers: [], annotations },
      subject: { mediaType: MANIFEST, ...subject },
    }),
  );
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const put = { method: 'PUT', body, headers: { 'content-type': MANIFEST } };
  const answer = await fetch(`${primary.url}/v2/app/manifests/${digest}`, put);
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return { digest, size: body.length };
}

/** As a client finds it where there is no list. */
async function listed({ url }: Registry, { digest }: Thing): Promise<unknown[] | undefined> {
  const none = await fetch(`${url}/v2/there/app/referrers/${digest}`);
  if (none.status !== 404) throw new Error(`it has lists: ${none.status}`);
  const tag = digest.replace(':', '-');
  const answer = await fetch(`${url}/v2/there/app/manifests/${tag}`, { headers: { accept: INDEX } });
  return answer.ok ? ((await answer.json()) as { manifests: unknown[] }).manifests : undefined;
}

t.test('what refers to an image is found under a tag', { skip: missing('docker-registry') }, async (t) => {
  const { primary, fallback, copy } = await start(t);
  const seeded = primary.seed('app', '1', { blobs: [10] });
  const image = { digest: seeded.digest, size: seeded.manifest.length };
  const sbom = await attach(primary, image, 'a/sbom', { 'org.example.made': 'today' });
  const signature = await attach(primary, sbom, 'a/signature');
  t.match(await copy('1'), { outcome: 'copied', manifests: 3 });
  t.strictSame(await listed(fallback, image), [
    { mediaType: MANIFEST, ...sbom, artifactType: 'a/sbom', annotations: { 'org.example.made': 'today' } },
  ]);
  t.strictSame(await listed(fallback, sbom), [
    { mediaType: MANIFEST, ...signature, artifactType: 'a/signature', annotations: {} },
  ]);
  t.equal(await listed(fallback, signature), undefined);

  const later = await Promise.all([attach(primary, image, 'a/scan'), attach(primary, image, 'a/licence')]);
  // As the hints of their pushes say, both at once.
  await Promise.all(later.map(({ digest }) => copy(digest)));
  const digests = ((await listed(fallback, image)) as Thing[]).map(({ digest }) => digest);
  t.strictSame(digests.sort(), [sbom, ...later].map(({ digest }) => digest).sort(), 'no list loses an entry');
  const writes = fallback.writes();
  await copy('1');
  await copy(sbom.digest);
  t.equal(fallback.writes(), writes, 'what is listed is not written again');
});

t.test('a tag that is no such list is left alone', { skip: missing('docker-registry') }, async (t) => {
  const { primary, fallback, copy } = await start(t);
  const seeded = primary.seed('app', '1', { blobs: [10] });
  const image = { digest: seeded.digest, size: seeded.manifest.length };
  const tag = image.digest.replace(':', '-');
  await copy('1');
  const body = new Uint8Array(seeded.manifest);
  const put = { method: 'PUT', body, headers: { 'content-type': MANIFEST } };
  t.equal((await fetch(`${fallback.url}/v2/there/app/manifests/${tag}`, put)).status, 201);
  const { digest } = await attach(primary, image, 'a/sbom');
  await t.rejects(copy(digest), /fallback has a tag there\/app:sha256-\S+ that is no list of what refers to an image/);
});
