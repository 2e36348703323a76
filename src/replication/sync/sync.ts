import PQueue from 'p-queue';
import { type ComparedRepository, type ComparedTag, Comparison } from '../compare/comparison.ts';
import type { CopyResult } from '../copy/copy-job.ts';
import type { ImageCopy } from '../copy/image-copy.ts';
import { CopyError } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { RetryPolicy } from '../registry/retry-policy.ts';
import { referrerTagRounds, referrerTagSubject } from './referrer-tags.ts';
import type { SyncEvent, SyncImage } from './sync-event.ts';
import { WorkList } from './work-list.ts';

export interface SyncOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** Undefined: nothing is copied, and what would be is told. */
  copy: ImageCopy | undefined;
  /** Images under way at once. */
  images: number;
  /** Which tags count; signatures and the like come with the images that they are about. Default: all. */
  includeTag?: ((tag: string) => boolean) | undefined;
  /** What becomes of a tag that the target has at another digest. Default: replace. */
  existing?: 'replace' | 'keep';
  /** What tells others that the target is whole, such as a canary: it is copied after all else, and only if that is there. Default: nothing. */
  copyLast?: ((image: SyncImage) => boolean) | undefined;
  /** Only a part of what the target should have was asked for; then that is not copied, unless the target has it at another digest. */
  isPartial?: boolean;
  /** Repositories were named by hand: one without a tag that is wanted is a failure. */
  namedRepositories?: boolean;
  onEvent: (event: SyncEvent) => void;
}

/** `gave-up`: one image, or one repository, after the other failed for what may pass, so that the rest would have too. */
export type SyncEnd = 'done' | 'interrupted' | 'gave-up';

/** Repositories that are compared at once. */
const COMPARE_CONCURRENCY = 8;
/** Images that wait for their turn; comparing waits while there are more, so that memory does not grow with a registry. */
const MAX_WAITING = 20_000;
/** Images, or repositories, that may fail one after the other for what may pass. */
const MAX_CONSECUTIVE_FAILURES = 8;

/** Brings a registry in step with another, once. What is deleted from the source stays on the target. */
export class Sync {
  readonly #options: SyncOptions;
  readonly #comparison: Comparison;
  readonly #comparing = new PQueue({ concurrency: COMPARE_CONCURRENCY });
  readonly #copying: WorkList<SyncImage>;
  readonly #gaveUp = new AbortController();
  /** Of what is under way. */
  #signal = this.#gaveUp.signal;
  readonly #consecutiveFailures = { images: 0, repositories: 0 };
  #failures = 0;
  readonly #lastImages: SyncImage[] = [];
  /** A tag that the source had at the beginning. */
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
   * Resolves when nothing is under way any more.
   * @throws what `pairs` throws, once all that it gave before is done
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
      const { same, surplus, requested, unrequested } = found;
      onEvent({ kind: 'compared', repository, same, surplus });
      await this.#copyTags(repository, requested);
      const options = { source, target, repository, requested, unrequested, copiesBetweenRounds: copy !== undefined };
      for await (const companions of referrerTagRounds(options, signal)) await this.#copyTags(repository, companions);
    } catch (error) {
      if (signal.aborted) return;
      this.#reportFailure(repository, undefined, messageOf(error));
      this.#countFailure('repositories', error);
    }
  }

  /**
   * What is to be done for a repository; it may wait for hours for its turn, and so nothing is kept of tags that are the same.
   * @throws CopyError where there is none of those that were named
   */
  #planRepository({ repository, tags }: ComparedRepository) {
    const { namedRepositories, source, includeTag = () => true } = this.#options;
    const main = tags.filter(({ state, tag }) => state !== 'surplus' && includeTag(tag));
    if (namedRepositories && main.length === 0)
      throw new CopyError(`${source.name} has no such repository, or no tag in it that is wanted`);
    const [first] = main;
    if (first) this.#sentinel ??= { repository, tag: first.tag };
    const open = tags.filter(({ state }) => state === 'missing' || state === 'differs');
    return {
      same: main.filter(({ state }) => state === 'same').length,
      surplus: tags.filter(({ state, tag }) => state === 'surplus' && includeTag(tag)).length,
      requested: open.filter(({ tag }) => includeTag(tag)),
      unrequested: open.filter(({ tag }) => !includeTag(tag)),
    };
  }

  /** A source whose storage was unmounted meanwhile has repositories without tags, as if it were empty. Never rejects. */
  async #checkSentinel(signal: AbortSignal): Promise<void> {
    if (!this.#sentinel) return;
    const { source } = this.#options;
    const { repository, tag } = this.#sentinel;
    try {
      if ((await source.resolveDigest(repository.source, tag, signal)) !== undefined) return;
      const reason = `${source.name} has lost the tag ${tag} meanwhile: if its storage is gone, it has listed less than it had`;
      this.#reportFailure(repository, undefined, reason);
    } catch (error) {
      if (!signal.aborted) this.#reportFailure(repository, undefined, messageOf(error));
    }
  }

  async #copyTags(repository: RepositoryPair, tags: readonly ComparedTag[]): Promise<void> {
    const { onEvent, copy, existing, copyLast = () => false } = this.#options;
    const images = tags.flatMap(({ tag, state }): SyncImage[] =>
      state === 'missing' || state === 'differs' ? [{ repository, tag, state }] : [],
    );
    const stays = ({ state }: SyncImage) => state === 'differs' && existing === 'keep';
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

  /** @throws CopyError for what would tell others that all is there, and is not */
  #assertMayCopyLast(image: SyncImage): void {
    const { copyLast, isPartial } = this.#options;
    if (!copyLast?.(image)) return;
    const left = 'left out, because it would tell that all is there, and';
    if (this.#failures > 0) throw new CopyError(`${left} ${this.#failures} failed`);
    if (isPartial && image.state === 'missing') throw new CopyError(`${left} only a part was asked for`);
  }

  /** One after the other failed for what may pass: the rest would too. */
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
    if (existing !== 'keep') return run(tag);
    // Everything but the tag goes first, so that there is no time in which somebody else could push it.
    const digest = await source.resolveDigest(repository.source, tag, signal);
    const content = digest === undefined ? undefined : await run(digest);
    const there = await target.resolveDigest(repository.target, tag, signal);
    if (there !== undefined && there !== digest) return 'kept';
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
