import { createCipheriv, createHash } from 'node:crypto';
import { sha256 } from '../oci/reference.ts';
import type { Store } from './store.ts';

export interface Seed {
  /** Contents of the blobs, or sizes in bytes of blobs to be made up; the same size at the same place is the same blob everywhere. */
  blobs: readonly (Buffer | number)[];
  /** The image configuration; default: one that names the blobs as layers. */
  config?: unknown;
  /** Further tags, or what the manifest refers to. */
  annotations?: Record<string, string>;
}

export interface Seeded {
  /** Of the manifest. */
  digest: string;
  /** Of the blobs, in order, without the configuration. */
  blobDigests: string[];
  configDigest: string;
  /** The manifest itself. */
  manifest: Buffer;
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** Puts an image into a store: blobs, configuration, manifest and tag. */
export function seedImage(store: Store, repository: string, tag: string, { blobs, config, annotations }: Seed): Seeded {
  const contents = blobs.map((blob, index) => (typeof blob === 'number' ? madeUp(blob, index) : blob));
  const configBytes = Buffer.from(JSON.stringify(config ?? defaultConfig(contents)));
  const layers = contents.map((bytes) => ({
    mediaType: isGzip(bytes) ? `${LAYER}+gzip` : LAYER,
    digest: store.addBlob(repository, bytes),
    size: bytes.length,
  }));
  const configDigest = store.addBlob(repository, configBytes);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: CONFIG, digest: configDigest, size: configBytes.length },
      layers,
      ...(annotations ? { annotations } : {}),
    }),
  );
  const digest = sha256(manifest);
  store.keepManifest(repository, digest, { mediaType: MANIFEST, bytes: manifest, artifactType: CONFIG });
  store.setTag(repository, tag, digest);
  return { digest, blobDigests: layers.map((layer) => layer.digest), configDigest, manifest };
}

function defaultConfig(layers: Buffer[]): unknown {
  return {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
    history: layers.map(() => ({ created_by: 'breakwater lab' })),
  };
}

/** Bytes that do not compress, the same every time. */
export function madeUp(size: number, index: number): Buffer {
  const key = createHash('md5').update(`${size}/${index}`).digest();
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
