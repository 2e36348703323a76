import { imageName, sha256 } from '../oci/reference.ts';
import type { UploadSource } from './copy/blob-source.ts';
import { UploadSession } from './copy/upload-session.ts';
import { CopyError } from './copy-error.ts';
import type { RemoteManifest, RemoteRegistry } from './registry/remote-registry.ts';

const CONFIG = Buffer.from('{}');
const CONTENT = Buffer.from('Breakwater reads this image to see whether the registry reaches its storage.\n');
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/**
 * The image that probes read: a few bytes, so that a registry keeps a manifest, a config and a blob that a probe can read a byte of. It is
 * the same each time, so pushing it again changes nothing.
 */
export const CANARY_MANIFEST: RemoteManifest = {
  mediaType: MANIFEST_TYPE,
  bytes: Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      artifactType: 'application/vnd.breakwater.canary.v1',
      config: descriptorOf('application/vnd.oci.empty.v1+json', CONFIG),
      layers: [descriptorOf('application/vnd.breakwater.canary.content.v1+text', CONTENT)],
    }),
  ),
};

/**
 * Puts the image under a reference that has none. An image of the operator's own stays.
 * @param reference a tag, or the digest of this image
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function ensureCanary(
  registry: RemoteRegistry,
  repository: string,
  reference: string,
  signal: AbortSignal,
): Promise<'pushed' | 'present'> {
  const digest = sha256(CANARY_MANIFEST.bytes);
  const found = await registry.resolveDigest(repository, reference, signal);
  if (found !== undefined && found !== digest) return 'present';
  if (reference.includes(':') && reference !== digest) {
    const image = imageName(repository, reference);
    throw new CopyError(`${registry.name} does not have ${image}; name a tag in probe.canary, which can be pushed`);
  }
  const missing: Buffer[] = [];
  for (const bytes of [CONFIG, CONTENT])
    if (!(await registry.hasBlob(repository, sha256(bytes), signal))) missing.push(bytes);
  if (found === digest && missing.length === 0) return 'present';
  for (const bytes of missing) {
    const session = await UploadSession.begin({ registry, repository }, signal);
    await session.finish(inMemory(bytes), 0, signal);
  }
  await registry.putManifest(repository, reference, CANARY_MANIFEST, signal);
  return 'pushed';
}

function inMemory(bytes: Buffer): UploadSource {
  return {
    digest: sha256(bytes),
    size: bytes.length,
    verifiedBytes: bytes.length,
    failure: undefined,
    async *read(from, to) {
      yield bytes.subarray(from, to);
    },
  };
}

function descriptorOf(mediaType: string, bytes: Buffer) {
  return { mediaType, digest: sha256(bytes), size: bytes.length };
}
