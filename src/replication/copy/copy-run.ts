import { type Descriptor, type ManifestContent, readManifestContent } from '../../oci/manifest-content.ts';
import { listedReferrers, referrerOf, subjectOfTag } from '../../oci/referrers-list.ts';
import { CopyError } from '../copy-error.ts';
import { mapLimit } from '../map-limit.ts';
import type { RemoteManifest } from '../registry/remote-registry.ts';
import type { BandwidthLimit } from './bandwidth-limit.ts';
import type { BlobPlaces } from './blob-places.ts';
import { BlobSource } from './blob-source.ts';
import { BlobUpload } from './blob-upload.ts';
import type { CopyJob, CopyProgress, CopyResult } from './copy-job.ts';
import { keepsReferrersTag, updateReferrersTag } from './referrers-tag.ts';
import { manifestDigest } from './verified-digest.ts';

export interface CopyRunOptions {
  job: CopyJob;
  /** Counters that this run adds to. */
  result: CopyResult;
  progress: CopyProgress;
  signal: AbortSignal;
  /** Places of all blob transfers of the process. */
  places: BlobPlaces;
  bandwidth: BandwidthLimit;
  chunkBytes: number | undefined;
}

/** Depth to which an index may list indexes. */
const MAX_DEPTH = 4;
/** Manifests of one image. An index of indexes can name far more manifests than exist. */
const MAX_MANIFESTS = 10_000;
/** Concurrent parts of one manifest, so that an image with thousands of blobs leaves room for other images. */
const CONCURRENCY = 6;
/** Bytes up to which an upload to a new repository costs no more than a HEAD. */
const SMALL_BLOB_BYTES = 1_048_576;
/** Answers to a manifest that mean that the registry lacks content which the manifest names. */
const MISSING_CONTENT = [400, 404];

/** Copies one image. */
export class CopyRun {
  readonly #options: CopyRunOptions;
  /** Manifests below the image or about the image, by digest. */
  readonly #children = new Map<string, Promise<void>>();

  constructor(options: CopyRunOptions) {
    this.#options = options;
  }

  /** Copies all blobs and manifests that a manifest names. */
  async copyContent(manifest: RemoteManifest, digest: string, depth = 0): Promise<void> {
    const { children, blobs } = this.#parse(manifest, digest);
    if (depth > MAX_DEPTH) throw new CopyError(`${digest} nests indexes deeper than ${MAX_DEPTH} levels`);
    const parts = [
      ...blobs.map((blob) => () => this.#copyBlob(blob)),
      ...children.map((child) => () => this.#copyChild(child, depth + 1)),
    ];
    await mapLimit(parts, CONCURRENCY, (part) => part());
  }

  /** Puts the manifest itself, after its content. If the registry lacks content that was known to be there, the content is copied again. */
  async putManifest(reference: string, { bytes, mediaType: sent }: RemoteManifest, digest: string): Promise<void> {
    const { registry, repository } = this.#options.job.target;
    const { mediaType, blobs, children } = this.#parse({ bytes, mediaType: sent }, digest);
    const put = () => registry.putManifest(repository, reference, { bytes, mediaType }, this.#options.signal);
    try {
      await put();
    } catch (error) {
      if (!(error instanceof CopyError) || !MISSING_CONTENT.includes(error.status ?? 0)) throw error;
      for (const blob of blobs) registry.knownContent.forget(blob.digest);
      for (const child of children) this.#children.delete(child.digest);
      await this.copyContent({ bytes, mediaType }, digest);
      await put();
    }
    registry.knownContent.add(repository, digest);
    this.#options.result.manifests += 1;
  }

  /**
   * Copies signatures and other referrers of the image, of its parts, and of each other, where the source lists referrers
   * (distribution-spec "Listing Referrers").
   */
  async copyReferrers(digest: string): Promise<void> {
    const { registry, repository } = this.#options.job.source;
    const asked = new Set<string>();
    for (let fresh = [digest]; fresh.length > 0; ) {
      await mapLimit(fresh, CONCURRENCY, async (subject) => {
        asked.add(subject);
        const found = await registry.referrers(repository, subject, this.#options.signal);
        await mapLimit(found, 1, (referrer) => this.#copyChild(referrer, 1));
      });
      fresh = [...this.#children.keys()].filter((one) => !asked.has(one));
    }
  }

  #parse({ bytes, mediaType }: RemoteManifest, digest: string): ManifestContent {
    const content = readManifestContent(bytes, mediaType);
    if ('problem' in content)
      throw new CopyError(
        `${this.#options.job.source.repository}@${digest.slice(0, 19)} cannot be copied: ${content.problem}`,
      );
    return content;
  }

  /** Copies each child once, even if several manifests list the child. */
  #copyChild({ digest }: Descriptor, depth: number): Promise<void> {
    const known = this.#children.get(digest);
    if (known) return known;
    if (this.#children.size >= MAX_MANIFESTS)
      throw new CopyError(`${this.#options.job.reference} holds more than ${MAX_MANIFESTS} manifests`);
    const coming = this.#copyManifest(digest, depth);
    this.#children.set(digest, coming);
    coming.catch(() => this.#children.delete(digest));
    return coming;
  }

  /** A manifest that is there may lack content that was deleted below it, so the content is checked too before a tag names the manifest. */
  async #copyManifest(digest: string, depth: number): Promise<void> {
    const { job, signal } = this.#options;
    const { source, target } = job;
    // In a new repository a PUT costs no more than a HEAD, so the HEAD is skipped once.
    const isFresh = !target.registry.knownContent.has(target.repository, digest) && (await this.#targetIsEmpty());
    const isThere = !isFresh && (await target.registry.resolveDigest(target.repository, digest, signal)) !== undefined;
    const manifest = await source.registry.manifest(source.repository, digest, signal);
    if (!manifest && isThere) return;
    if (!manifest)
      throw new CopyError(`${source.registry.name} lacks ${source.repository}@${digest}, which an index of it lists`);
    manifestDigest(manifest, digest);
    await this.copyContent(manifest, digest, depth);
    if (!isThere) await this.putManifest(digest, manifest, digest);
    await this.listInReferrersTag(manifest, digest);
  }

  /** Adds a referrer to the list of its subject, so that clients of the target find the referrer. */
  async listInReferrersTag({ bytes, mediaType }: RemoteManifest, digest: string): Promise<void> {
    const { job, signal } = this.#options;
    const referrer = referrerOf(bytes, mediaType, digest);
    if (referrer) await updateReferrersTag(job, referrer.subject, [referrer.entry], signal);
  }

  /**
   * Copies a list under a referrers tag into the one that copies keep on the target, which may have more.
   * @returns whether they do so; otherwise the tag is copied like others
   */
  async mergeReferrersTag(reference: string, manifest: RemoteManifest, digest: string): Promise<boolean> {
    const { job, signal } = this.#options;
    const subject = subjectOfTag(reference);
    const listed = subject === undefined ? undefined : listedReferrers(manifest.bytes);
    if (subject === undefined || !listed || !(await keepsReferrersTag(job, subject, signal))) return false;
    await this.copyContent(manifest, digest);
    await updateReferrersTag(job, subject, listed, signal);
    return true;
  }

  async #targetIsEmpty(): Promise<boolean> {
    const { job, signal } = this.#options;
    const { registry, repository } = job.target;
    try {
      return await registry.knownContent.isEmpty(repository, () => registry.isEmpty(repository, signal));
    } catch {
      // The check may have belonged to another image's cancelled copy, or the tags cannot be listed: then each part is checked by itself.
      signal.throwIfAborted();
      return false;
    }
  }

  async #copyBlob(blob: Descriptor): Promise<void> {
    const { places, signal, job, result } = this.#options;
    const { knownContent } = job.target.registry;
    // A transfer that waits for another transfer of the same blob takes no place.
    await knownContent.exclusively(blob, signal, async (moved) => {
      if (knownContent.has(job.target.repository, blob.digest)) result.blobs.there += 1;
      else await places.run(this, signal, () => this.#transferBlob(blob, moved));
    });
  }

  async #transferBlob({ digest, size }: Descriptor, moved: () => void): Promise<void> {
    const { progress, result, signal, bandwidth, chunkBytes } = this.#options;
    const { source, target } = this.#options.job;
    const { registry, repository } = target;
    signal.throwIfAborted();
    moved();
    const elsewhere = registry.knownContent.mountSource(digest);
    const isWorthAsking = elsewhere === undefined && (size > SMALL_BLOB_BYTES || !(await this.#targetIsEmpty()));
    if (isWorthAsking && (await registry.hasBlob(repository, digest, signal))) {
      result.blobs.there += 1;
    } else {
      progress.expected?.(size);
      let told = 0;
      const onBytes = (bytes: number) => {
        told += bytes;
        moved();
        progress.sent?.(bytes);
      };
      const from = { registry: source.registry, repository: source.repository, bandwidth, onBytes };
      const upload = new BlobUpload({
        registry,
        repository,
        source: new BlobSource({ ...from, digest, size }),
        chunkBytes,
      });
      const how = await upload.run(elsewhere, signal);
      result.blobs[how] += 1;
      if (how === 'uploaded') result.bytes += size;
      onBytes(size - told);
    }
    registry.knownContent.add(repository, digest);
  }
}
