import PQueue from 'p-queue';
import { CopyError } from '../copy-error.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { Bandwidth } from './bandwidth.ts';
import type { CopyJob, CopyProgress, CopyResult } from './copy-job.ts';
import { CopyRun } from './copy-run.ts';
import { KnownContent } from './known-content.ts';
import { digestOf } from './verified-digest.ts';

export interface ImageCopyOptions {
  /** Blobs under way at once. */
  blobs: number;
  bandwidth?: Bandwidth;
  /** See `BlobUploadOptions`. */
  piece?: number;
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
  readonly #shared: { queue: PQueue; bandwidth: Bandwidth; piece: number | undefined };
  readonly #known = new WeakMap<RemoteRegistry, KnownContent>();

  constructor({ blobs, bandwidth = new Bandwidth(0), piece }: ImageCopyOptions) {
    this.#shared = { queue: new PQueue({ concurrency: blobs }), bandwidth, piece };
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
    const run = new CopyRun({ job, result, progress, signal, known: this.#knownAt(target.registry), ...this.#shared });
    // What was brought last: if that is read again, nothing has moved, whatever a HEAD says.
    let brought: string | undefined;
    // Why something that refers to it could not be.
    let lost: unknown;
    for (let moves = 0; moves < MAX_MOVES; moves += 1) {
      const at = performance.now();
      const manifest = await source.registry.manifest(source.repository, reference, signal);
      if (!manifest) return { ...result, digest: undefined, outcome: 'absent' };
      const digest = digestOf(manifest, reference);
      result.digest = digest;
      if ((await target.registry.digestOf(target.repository, reference, signal)) === digest) {
        if (brought === undefined) await run.referrers(digest);
        if (lost !== undefined) throw lost;
        return { ...result, outcome: result.manifests === 0 ? 'same' : 'copied' };
      }
      let isSure = brought === digest;
      if (!isSure) {
        await run.content(manifest, digest);
        lost = await this.#referrers(run, digest, signal);
      }
      brought = digest;
      isSure ||= performance.now() - at < RECENT_MS;
      // A tag that moved meanwhile must not be taken back by who comes later: another edge may have copied what it is at now. It is
      // looked at again when it is done, so that whoever is the last to put it has put what is right.
      if (!isSure && (await this.#hasMoved(job, digest, signal))) continue;
      await run.put(reference, manifest, digest);
      if (await this.#hasMoved(job, digest, signal)) continue;
      await run.note(manifest, digest);
      if (lost !== undefined) throw lost;
      return { ...result, outcome: 'copied' };
    }
    throw new CopyError(`${source.repository}:${reference} moves faster than it can be copied`, { passing: true });
  }

  /**
   * Before the tag, since with that a comparison takes all of it for copied. An image is not held back because of a signature that cannot
   * be had; that it cannot is told, and tried again.
   * @returns why, if that is so. @throws the signal's reason
   */
  async #referrers(run: CopyRun, digest: string, signal: AbortSignal): Promise<unknown> {
    try {
      await run.referrers(digest);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      return error;
    }
  }

  async #hasMoved({ source, reference }: CopyJob, digest: string, signal: AbortSignal): Promise<boolean> {
    if (reference.includes(':')) return false;
    return (await source.registry.digestOf(source.repository, reference, signal)) !== digest;
  }

  #knownAt(registry: RemoteRegistry): KnownContent {
    const known = this.#known.get(registry) ?? new KnownContent();
    this.#known.set(registry, known);
    return known;
  }
}
