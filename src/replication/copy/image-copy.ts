import PQueue from 'p-queue';
import { CopyError } from '../copy-error.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { BandwidthLimit } from './bandwidth-limit.ts';
import type { CopyJob, CopyProgress, CopyResult } from './copy-job.ts';
import { CopyRun } from './copy-run.ts';
import { KnownContent } from './known-content.ts';
import { manifestDigest } from './verified-digest.ts';

export interface ImageCopyOptions {
  /** Blobs under way at once. */
  concurrentBlobs: number;
  bandwidth?: BandwidthLimit;
  /** See `BlobUploadOptions`. */
  chunkBytes?: number;
}

/** Times that a tag may move while its image is copied, before it is left for the next time. */
const MAX_MOVES = 20;

/** Milliseconds after which it may be worth asking whether a tag has moved. */
const RECENT_MS = 250;

/**
 * Copies images from registry to registry: blobs, then manifests of an index, then the index, then the tag, each byte for byte, so that at
 * no moment a tag of the target names what is not complete there.
 */
export class ImageCopy {
  readonly #shared: { queue: PQueue; bandwidth: BandwidthLimit; chunkBytes: number | undefined };
  readonly #knownContents = new WeakMap<RemoteRegistry, KnownContent>();

  constructor({ concurrentBlobs, bandwidth = new BandwidthLimit(0), chunkBytes }: ImageCopyOptions) {
    this.#shared = { queue: new PQueue({ concurrency: concurrentBlobs }), bandwidth, chunkBytes };
  }

  /** @throws CopyError, UpstreamError; the signal's reason */
  async copy(job: CopyJob, signal: AbortSignal, progress: CopyProgress = {}): Promise<CopyResult> {
    const { source, target, reference } = job;
    const result: CopyResult = {
      digest: undefined,
      outcome: 'absent',
      manifests: 0,
      blobs: { uploaded: 0, mounted: 0, there: 0 },
      bytes: 0,
    };
    const run = new CopyRun({
      job,
      result,
      progress,
      signal,
      knownContent: this.#knownContentOf(target.registry),
      ...this.#shared,
    });
    // What was brought last: if that is read again, nothing has moved, whatever a HEAD says.
    let lastCopied: string | undefined;
    // Why something that refers to it could not be.
    let referrerFailure: unknown;
    for (let moves = 0; moves < MAX_MOVES; moves += 1) {
      const at = performance.now();
      const manifest = await source.registry.manifest(source.repository, reference, signal);
      if (!manifest) return { ...result, digest: undefined, outcome: 'absent' };
      const digest = manifestDigest(manifest, reference);
      result.digest = digest;
      if ((await target.registry.resolveDigest(target.repository, reference, signal)) === digest) {
        if (lastCopied === undefined) await run.copyReferrers(digest);
        if (referrerFailure !== undefined) throw referrerFailure;
        return { ...result, outcome: result.manifests === 0 ? 'same' : 'copied' };
      }
      let isConfirmed = lastCopied === digest;
      if (!isConfirmed) {
        await run.copyContent(manifest, digest);
        referrerFailure = await this.#copyReferrers(run, digest, signal);
      }
      lastCopied = digest;
      isConfirmed ||= performance.now() - at < RECENT_MS;
      // A tag that moved meanwhile must not be taken back by who comes later: another edge may have copied what it is at now. It is
      // looked at again when it is done, so that whoever is the last to put it has put what is right.
      if (!isConfirmed && (await this.#hasMoved(job, digest, signal))) continue;
      await run.putManifest(reference, manifest, digest);
      if (await this.#hasMoved(job, digest, signal)) continue;
      await run.listInReferrersTag(manifest, digest);
      if (referrerFailure !== undefined) throw referrerFailure;
      return { ...result, outcome: 'copied' };
    }
    throw new CopyError(`${source.repository}:${reference} moves faster than it can be copied`, { retryable: true });
  }

  /**
   * Before the tag, since with that a comparison takes all of it for copied. An image is not held back because of a signature that cannot
   * be had; that it cannot is told, and tried again.
   * @returns why, if that is so. @throws the signal's reason
   */
  async #copyReferrers(run: CopyRun, digest: string, signal: AbortSignal): Promise<unknown> {
    try {
      await run.copyReferrers(digest);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      return error;
    }
  }

  async #hasMoved({ source, reference }: CopyJob, digest: string, signal: AbortSignal): Promise<boolean> {
    if (reference.includes(':')) return false;
    return (await source.registry.resolveDigest(source.repository, reference, signal)) !== digest;
  }

  #knownContentOf(registry: RemoteRegistry): KnownContent {
    const known = this.#knownContents.get(registry) ?? new KnownContent();
    this.#knownContents.set(registry, known);
    return known;
  }
}
