import { CopyError } from '../copy-error.ts';
import { BandwidthLimit } from './bandwidth-limit.ts';
import { BlobPlaces } from './blob-places.ts';
import type { CopyJob, CopyProgress, CopyResult } from './copy-job.ts';
import { CopyRun } from './copy-run.ts';
import { manifestDigest } from './verified-digest.ts';

export interface ImageCopyOptions {
  /** Concurrent blob transfers. */
  concurrentBlobs: number;
  /** Bytes a second of all transfers together. Default 0: no limit. */
  maxBandwidth?: number;
  /** See `BlobUploadOptions`. */
  chunkBytes?: number;
}

/** Times that a tag may move while its image is copied; after that the copy fails until the next try. */
const MAX_MOVES = 20;

/** A copy younger than this many milliseconds is not checked for a moved tag. */
const RECENT_MS = 250;

/**
 * Copies images between registries in this order: blobs, manifests of an index, the index, the tag. All bytes stay identical, and no tag of
 * the target ever names an incomplete image.
 */
export class ImageCopy {
  readonly #shared: { places: BlobPlaces; bandwidth: BandwidthLimit; chunkBytes: number | undefined };

  constructor({ concurrentBlobs, maxBandwidth = 0, chunkBytes }: ImageCopyOptions) {
    const places = new BlobPlaces(concurrentBlobs);
    this.#shared = { places, bandwidth: new BandwidthLimit(maxBandwidth), chunkBytes };
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
    const run = new CopyRun({ job, result, progress, signal, ...this.#shared });
    // The digest that was copied last. If the source shows the same digest again, the tag has not moved, whatever a HEAD says.
    let lastCopied: string | undefined;
    // Why a referrer could not be copied.
    let referrerFailure: unknown;
    for (let moves = 0; moves < MAX_MOVES; moves += 1) {
      const at = performance.now();
      const manifest = await source.registry.manifest(source.repository, reference, signal);
      if (!manifest) return { ...result, digest: undefined, outcome: 'absent' };
      const digest = manifestDigest(manifest, reference);
      result.digest = digest;
      const there = await target.registry.resolveDigest(target.repository, reference, signal);
      if (there === digest) {
        if (lastCopied === undefined) await run.copyReferrers(digest);
        if (referrerFailure !== undefined) throw referrerFailure;
        return { ...result, outcome: result.manifests === 0 ? 'same' : 'copied' };
      }
      if (await run.mergeReferrersTag(reference, manifest, digest)) return { ...result, outcome: 'copied' };
      if (there !== undefined) await job.beforeReplace?.(digest);
      let isConfirmed = lastCopied === digest;
      if (!isConfirmed) {
        await run.copyContent(manifest, digest);
        referrerFailure = await this.#copyReferrers(run, digest, signal);
      }
      lastCopied = digest;
      isConfirmed ||= performance.now() - at < RECENT_MS;
      // Another edge may have copied a newer digest already, and this copy must not take the tag back. The tag is checked again after the
      // PUT, so that the last writer has written the right digest.
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
   * Referrers are copied before the tag, because a comparison counts an image with its tag as copied. A signature that cannot be copied
   * does not hold back its image; the failure is reported and retried.
   * @returns the failure, if there was one. @throws the signal's reason
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
}
