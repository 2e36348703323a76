import type PQueue from 'p-queue';
import { type Descriptor, type ManifestContent, readManifestContent } from '../oci/manifest-content.ts';
import type { Bandwidth } from './bandwidth.ts';
import { BlobSource } from './blob-source.ts';
import { BlobUpload } from './blob-upload.ts';
import { CopyError } from './copy-error.ts';
import type { CopyJob, CopyProgress, CopyResult } from './copy-job.ts';
import type { KnownBlobs } from './known-blobs.ts';
import { digestOf } from './manifest-digest.ts';
import type { RemoteManifest } from './remote-registry.ts';

export interface CopyRunOptions {
  job: CopyJob;
  /** What is counted in. */
  result: CopyResult;
  progress: CopyProgress;
  signal: AbortSignal;
  /** Of all blobs that are under way. */
  queue: PQueue;
  bandwidth: Bandwidth;
  /** At the target. */
  known: KnownBlobs;
  piece: number | undefined;
}

/** How deep an index may list indexes. */
const MAX_DEPTH = 4;

/** The copying of one image. */
export class CopyRun {
  readonly #options: CopyRunOptions;

  constructor(options: CopyRunOptions) {
    this.#options = options;
  }

  /** All that a manifest needs to be there. */
  async content(manifest: RemoteManifest, digest: string, depth: number): Promise<void> {
    const { children, blobs } = this.#read(manifest, digest);
    if (depth > MAX_DEPTH) throw new CopyError(`${digest} lists indexes that list indexes, deeper than ${MAX_DEPTH}`);
    await Promise.all([
      ...blobs.map((blob) => this.#options.queue.add(() => this.#blob(blob), { signal: this.#options.signal })),
      ...children.map((child) => this.#child(child, depth + 1)),
    ]);
  }

  /** The manifest itself, once its content is there; if the registry lacks some that it was known to have, that is brought again. */
  async put(reference: string, manifest: RemoteManifest, digest: string): Promise<void> {
    const { registry, repository } = this.#options.job.target;
    try {
      await registry.putManifest(repository, reference, manifest, this.#options.signal);
    } catch (error) {
      if (!(error instanceof CopyError) || error.passing) throw error;
      for (const blob of this.#read(manifest, digest).blobs) this.#options.known.forget(blob.digest);
      await this.content(manifest, digest, 0);
      await registry.putManifest(repository, reference, manifest, this.#options.signal);
    }
    this.#options.result.manifests += 1;
  }

  /** Signatures and the like that say what they are about; where the source lists them (distribution-spec "Listing Referrers"). */
  async referrers(digest: string): Promise<void> {
    const { source } = this.#options.job;
    const found = await source.registry.referrers(source.repository, digest, this.#options.signal);
    for (const descriptor of found) await this.#child(descriptor, 1);
  }

  #read({ bytes, mediaType }: RemoteManifest, digest: string): ManifestContent {
    const content = readManifestContent(bytes, mediaType);
    if ('problem' in content)
      throw new CopyError(
        `${this.#options.job.source.repository}@${digest.slice(0, 19)} cannot be copied: ${content.problem}`,
      );
    return content;
  }

  async #child({ digest }: Descriptor, depth: number): Promise<void> {
    const { source, target } = this.#options.job;
    if ((await target.registry.digestOf(target.repository, digest, this.#options.signal)) !== undefined) return;
    const manifest = await source.registry.manifest(source.repository, digest, this.#options.signal);
    if (!manifest)
      throw new CopyError(`${source.registry.name} lacks ${source.repository}@${digest}, which an index of it lists`);
    digestOf(manifest, digest);
    await this.content(manifest, digest, depth);
    await this.put(digest, manifest, digest);
  }

  async #blob({ digest, size }: Descriptor): Promise<void> {
    const { source, target } = this.#options.job;
    const { registry, repository } = target;
    const known = this.#options.known;
    if (known.has(repository, digest)) {
      this.#options.result.blobs.there += 1;
      return;
    }
    await known.alone(digest, async () => {
      const elsewhere = known.placeOf(digest);
      if (
        elsewhere === repository ||
        (elsewhere === undefined && (await registry.hasBlob(repository, digest, this.#options.signal)))
      ) {
        this.#options.result.blobs.there += 1;
      } else {
        this.#options.progress.expected?.(size);
        const onBytes = (bytes: number) => this.#options.progress.sent?.(bytes);
        const from = {
          registry: source.registry,
          repository: source.repository,
          bandwidth: this.#options.bandwidth,
          onBytes,
        };
        const upload = new BlobUpload({
          registry,
          repository,
          source: new BlobSource({ ...from, digest, size }),
          piece: this.#options.piece,
        });
        const how = await upload.run(elsewhere, this.#options.signal);
        this.#options.result.blobs[how] += 1;
        if (how === 'uploaded') this.#options.result.bytes += size;
        else onBytes(size);
      }
      known.note(repository, digest);
    });
  }
}
