import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tarball } from './tarball.ts';

export interface ImageOptions {
  /** Bytes of each layer, before compression; random, so about the same after it. */
  layers?: readonly number[];
  /** More than one makes an index. */
  platforms?: readonly string[];
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  platform?: { os: string; architecture: string };
}

/** An OCI image, written as an OCI layout. No two are the same. */
export interface Image {
  /** The layout's folder, for `oci:FOLDER:latest`. */
  folder: string;
  /** Of the manifest, or of the index. */
  digest: string;
  mediaType: string;
  /** Every blob of every platform: configurations and layers. */
  blobs: { digest: string; size: number }[];
}

const TYPE = 'application/vnd.oci.image';

export async function writeImage(
  folder: string,
  { layers = [20_000, 3_000], platforms = ['amd64'] }: ImageOptions = {},
): Promise<Image> {
  const layout = new Layout(folder);
  await layout.begin();
  const manifests: Descriptor[] = [];
  for (const architecture of platforms) {
    const descriptor = await layout.addManifest(architecture, layers);
    manifests.push({ ...descriptor, platform: { os: 'linux', architecture } });
  }
  const [only] = manifests;
  const top =
    manifests.length === 1 && only
      ? only
      : await layout.add(`${TYPE}.index.v1+json`, { schemaVersion: 2, mediaType: `${TYPE}.index.v1+json`, manifests });
  await layout.end(top);
  return { folder, digest: top.digest, mediaType: top.mediaType, blobs: layout.blobs };
}

class Layout {
  readonly blobs: { digest: string; size: number }[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async begin(): Promise<void> {
    await mkdir(join(this.#folder, 'blobs/sha256'), { recursive: true });
    await writeFile(join(this.#folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  async addManifest(architecture: string, sizes: readonly number[]): Promise<Descriptor> {
    const tars = sizes.map((size, index) => tarball(`${architecture}-${index}`, size));
    const layers: Descriptor[] = [];
    // Compressed already, or clients would compress them on the way and so change their digests.
    for (const tar of tars) layers.push(await this.#blob(`${TYPE}.layer.v1.tar+gzip`, gzipSync(tar, { level: 1 })));
    const config = await this.#blob(
      `${TYPE}.config.v1+json`,
      Buffer.from(
        JSON.stringify({
          architecture,
          os: 'linux',
          config: { Cmd: ['/bin/true'] },
          rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
          history: tars.map(() => ({ created_by: 'breakwater test' })),
        }),
      ),
    );
    const mediaType = `${TYPE}.manifest.v1+json`;
    return this.add(mediaType, { schemaVersion: 2, mediaType, config, layers });
  }

  async add(mediaType: string, content: unknown): Promise<Descriptor> {
    return this.#write(mediaType, Buffer.from(JSON.stringify(content)));
  }

  async end(top: Descriptor): Promise<void> {
    const named = { ...top, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
    await writeFile(join(this.#folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  }

  async #blob(mediaType: string, bytes: Buffer): Promise<Descriptor> {
    const descriptor = await this.#write(mediaType, bytes);
    this.blobs.push({ digest: descriptor.digest, size: descriptor.size });
    return descriptor;
  }

  async #write(mediaType: string, bytes: Buffer): Promise<Descriptor> {
    const digest = sha256(bytes);
    await writeFile(join(this.#folder, 'blobs', digest.replace(':', '/')), bytes);
    return { mediaType, digest, size: bytes.length };
  }
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
