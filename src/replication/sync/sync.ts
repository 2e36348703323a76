import PQueue from 'p-queue';
import { type ComparedRepository, Comparison } from '../compare/comparison.ts';
import type { CopyResult } from '../copy/copy-job.ts';
import type { ImageCopy } from '../copy/image-copy.ts';
import { CopyError, messageOf } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { RetryPolicy } from '../registry/retry-policy.ts';
import { decideNewer, type NewerTagsOptions, reasonToLeave } from './newer-tags.ts';
import { referrerTagRounds, referrerTagSubject } from './referrer-tags.ts';
import type { SyncEvent, SyncImage } from './sync-event.ts';
import { WorkList } from './work-list.ts';

export interface SyncOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** Undefined: a dry run, which reports what would be copied. */
  copy: ImageCopy | undefined;
  /** Concurrent images. */
  images: number;
  /** Which tags are copied. Signatures and other referrers come with their images. Default: every tag. */
  includeTag?: ((tag: string) => boolean) | undefined;
  /**
   * What happens to a tag that has another digest on the target. Default: replace. `newer`: only tags that are newer on the source are copied,
   * also of those that the target lacks.
   */
  existing?: 'replace' | 'keep' | 'newer';
  /** With `newer`: what a ledger knows of tags at the target. */
  statesOf?: NewerTagsOptions['statesOf'];
  /**
   * Images that announce a complete target, such as a canary. They are copied after all others, and only if no copy failed. Default: none.
   */
  copyLast?: ((image: SyncImage) => boolean) | undefined;
  /** Only a part of the target was asked for. Then such images are copied only to replace another digest. */
  isPartial?: boolean;
  /** The user named the repositories: one without a matching tag is a failure. */
  namedRepositories?: boolean;
  onEvent: (event: SyncEvent) => void;
}

/** `gave-up`: so many consecutive retryable failures that the rest would fail too. */
export type SyncEnd = 'done' | 'interrupted' | 'gave-up';

/** Concurrent comparisons. */
const COMPARE_CONCURRENCY = 8;
/** Images that may wait. Comparisons pause while there are more, so that memory does not grow with the registry. */
const MAX_WAITING = 20_000;
/** Consecutive retryable failures after which the sync gives up. */
const MAX_CONSECUTIVE_FAILURES = 8;

/** Copies once what a registry lacks. Tags that the source has deleted stay on the target. */
export class Sync {
  readonly #options: SyncOptions;
  readonly #comparison: Comparison;
  readonly #comparing = new PQueue({ concurrency: COMPARE_CONCURRENCY });
  readonly #copying: WorkList<SyncImage>;
  readonly #gaveUp = new AbortController();
  /** Aborts all running work. */
  #signal = this.#gaveUp.signal;
  readonly #consecutiveFailures = { images: 0, repositories: 0 };
  #failures = 0;
  readonly #lastImages: SyncImage[] = [];
  /** A tag that the source had at the start. */
  #sentinel: { repository: RepositoryPair; tag: string } | undefined;

  constructor(options: SyncOptions) {
    this.#options = options;
    const { source, target, includeTag } = options;
    this.#comparison = new Comparison({
      source,
      target,
      ...(includeTag ? { includeTag: (tag: string) => includeTag(tag) || referrerTagSubject(tag) !== undefined } : {}),
    });
    this.#copying = new WorkList(options.images, (image) => this.#copyImage(image, this.#signal));
  }

  /**
   * Resolves when all work has ended.
   * @throws what `pairs` throws, once its earlier repositories are done
   */
  async run(pairs: AsyncIterable<RepositoryPair>, signal: AbortSignal): Promise<SyncEnd> {
    const end = AbortSignal.any([signal, this.#gaveUp.signal]);
    this.#signal = end;
    const open = new Set<Promise<void>>();
    try {
      for await (const pair of pairs) {
        const repository = this.#syncRepository(pair, end).finally(() => open.delete(repository));
        open.add(repository);
        await this.#comparing.onSizeLessThan(1);
        await this.#copying.waitForRoom(MAX_WAITING);
        if (end.aborted) break;
      }
    } catch (error) {
      if (!end.aborted) throw error;
    } finally {
      await Promise.all(open);
    }
    if (!end.aborted) await this.#checkSentinel(end);
    if (!end.aborted) await this.#copying.runAll(this.#lastImages);
    if (signal.aborted) return 'interrupted';
    return this.#gaveUp.signal.aborted ? 'gave-up' : 'done';
  }

  /** Never rejects. */
  async #syncRepository(repository: RepositoryPair, signal: AbortSignal): Promise<void> {
    const { onEvent, source, target, copy } = this.#options;
    try {
      const found = await this.#comparing.add(async () =>
        signal.aborted ? undefined : this.#planRepository(await this.#comparison.compare(repository, signal)),
      );
      if (!found) return;
      this.#consecutiveFailures.repositories = 0;
      const { same, surplus, unrequested } = found;
      onEvent({ kind: 'compared', repository, same, surplus });
      const requested = await this.#selectNewer(repository, found.requested, signal);
      await this.#copyAll(requested);
      const options = { source, target, repository, requested, unrequested, copiesBetweenRounds: copy !== undefined };
      for await (const companions of referrerTagRounds(options, signal)) await this.#copyAll(companions);
    } catch (error) {
      if (signal.aborted) return;
      this.#reportFailure(repository, undefined, messageOf(error));
      this.#countFailure('repositories', error);
    }
  }

  /**
   * The work for a repository. A plan may wait for hours, so unchanged tags are only counted.
   * @throws CopyError for a named repository without a matching tag
   */
  #planRepository({ repository, tags }: ComparedRepository) {
    const { namedRepositories, source, includeTag = () => true } = this.#options;
    const main = tags.filter(({ state, tag }) => state !== 'surplus' && includeTag(tag));
    if (namedRepositories && main.length === 0)
      throw new CopyError(`${source.name} has no such repository, or no matching tag in it`);
    const [first] = main;
    if (first) this.#sentinel ??= { repository, tag: first.tag };
    const open = tags.flatMap(({ tag, state, sourceDigest, targetDigest }): SyncImage[] =>
      state === 'missing' || state === 'differs' ? [{ repository, tag, state, sourceDigest, targetDigest }] : [],
    );
    // Signatures follow their images, also where only newer images are copied.
    const isRequested = ({ tag }: SyncImage) => includeTag(tag) && !this.#isCompanion(tag);
    return {
      same: main.filter(({ state }) => state === 'same').length,
      surplus: tags.filter(({ state, tag }) => state === 'surplus' && includeTag(tag)).length,
      requested: open.filter(isRequested),
      unrequested: open.filter((image) => !isRequested(image)),
    };
  }

  #isCompanion(tag: string): boolean {
    return this.#options.existing === 'newer' && referrerTagSubject(tag) !== undefined;
  }

  /**
   * Leaves out images that are not newer on the source, if only newer ones are copied.
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async #selectNewer(
    repository: RepositoryPair,
    images: readonly SyncImage[],
    signal: AbortSignal,
  ): Promise<readonly SyncImage[]> {
    const { existing, source, target, statesOf = async () => [], onEvent } = this.#options;
    if (existing !== 'newer') return images;
    const decisions = await decideNewer(repository, images, { source, target, statesOf }, signal);
    return images.filter((image) => {
      const decision = decisions.get(image);
      if (decision?.newer === 'copy') return true;
      if (!decision) return false;
      const reason = reasonToLeave(decision, image, target.name);
      onEvent({ kind: decision.newer === 'unknown' ? 'undecided' : 'kept', image, reason });
      return false;
    });
  }

  /** A source whose storage was unmounted during the sync lists repositories without tags, as if it were empty. Never rejects. */
  async #checkSentinel(signal: AbortSignal): Promise<void> {
    if (!this.#sentinel) return;
    const { source } = this.#options;
    const { repository, tag } = this.#sentinel;
    try {
      if ((await source.resolveDigest(repository.source, tag, signal)) !== undefined) return;
      const reason = `${source.name} has lost the tag ${tag} during the sync: if its storage is gone, its lists were incomplete`;
      this.#reportFailure(repository, undefined, reason);
    } catch (error) {
      if (!signal.aborted) this.#reportFailure(repository, undefined, messageOf(error));
    }
  }

  async #copyAll(images: readonly SyncImage[]): Promise<void> {
    const { onEvent, copy, existing, copyLast = () => false } = this.#options;
    const stays = ({ state, tag }: SyncImage) => state === 'differs' && (existing === 'keep' || this.#isCompanion(tag));
    for (const image of images) onEvent({ kind: stays(image) ? 'kept' : 'planned', image });
    if (copy === undefined) return;
    const wanted = images.filter((image) => !stays(image));
    this.#lastImages.push(...wanted.filter(copyLast));
    await this.#copying.runAll(wanted.filter((image) => !copyLast(image)));
  }

  /** Never rejects. */
  async #copyImage(image: SyncImage, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { onEvent, source } = this.#options;
    const { repository, tag } = image;
    onEvent({ kind: 'began', image });
    const began = performance.now();
    try {
      this.#assertMayCopyLast(image);
      const result = await this.#transfer(image, signal);
      this.#consecutiveFailures.images = 0;
      if (result === 'kept') onEvent({ kind: 'kept', image });
      else if (result.outcome === 'absent')
        throw new CopyError(`${source.name} listed ${repository.source}:${tag}, and does not have it`);
      else onEvent({ kind: 'copied', image, result, ms: performance.now() - began });
    } catch (error) {
      if (signal.aborted) return;
      this.#reportFailure(repository, image, messageOf(error));
      this.#countFailure('images', error);
    }
  }

  /** @throws CopyError for an image that would announce a complete target too early */
  #assertMayCopyLast(image: SyncImage): void {
    const { copyLast, isPartial } = this.#options;
    if (!copyLast?.(image)) return;
    const left = 'skipped, because it would announce a complete copy, but';
    if (this.#failures > 0) throw new CopyError(`${left} ${this.#failures} failed`);
    if (isPartial && image.state === 'missing') throw new CopyError(`${left} only a part was asked for`);
  }

  /** Consecutive retryable failures mean that the rest would fail too. */
  #countFailure(what: 'images' | 'repositories', error: unknown): void {
    this.#consecutiveFailures[what] = RetryPolicy.isRetryable(error) ? this.#consecutiveFailures[what] + 1 : 0;
    if (this.#consecutiveFailures[what] >= MAX_CONSECUTIVE_FAILURES) this.#gaveUp.abort();
  }

  #reportFailure(repository: RepositoryPair, image: SyncImage | undefined, reason: string): void {
    this.#failures += 1;
    this.#options.onEvent({ kind: 'failed', repository, image, reason });
  }

  async #transfer(image: SyncImage, signal: AbortSignal): Promise<CopyResult | 'kept'> {
    const { source, target, copy, onEvent, existing } = this.#options;
    const { repository, tag } = image;
    if (!copy) throw new Error('nothing is to be copied');
    const run = (reference: string) =>
      copy.copy(
        {
          source: { registry: source, repository: repository.source },
          target: { registry: target, repository: repository.target },
          reference,
        },
        signal,
        {
          expected: (bytes) => onEvent({ kind: 'expected', image, bytes }),
          sent: (bytes) => onEvent({ kind: 'sent', image, bytes }),
        },
      );
    if (existing === undefined || existing === 'replace') return run(tag);
    // The content goes first, so that no client can push the tag between the check and the copy.
    const digest = await source.resolveDigest(repository.source, tag, signal);
    const content = digest === undefined ? undefined : await run(digest);
    const there = await target.resolveDigest(repository.target, tag, signal);
    if (there !== undefined && there !== digest && there !== image.targetDigest) return 'kept';
    const tagged = await run(tag);
    return content && tagged.outcome === 'copied' ? addResults(content, tagged) : tagged;
  }
}

function addResults(one: CopyResult, other: CopyResult): CopyResult {
  const blobs = {
    uploaded: one.blobs.uploaded + other.blobs.uploaded,
    mounted: one.blobs.mounted + other.blobs.mounted,
    there: one.blobs.there,
  };
  return { ...other, blobs, manifests: one.manifests + other.manifests, bytes: one.bytes + other.bytes };
}
