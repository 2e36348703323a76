import PQueue from 'p-queue';
import { type ComparedRepository, type ComparedTag, Comparison } from '../compare/comparison.ts';
import type { CopyResult } from '../copy/copy-job.ts';
import type { ImageCopy } from '../copy/image-copy.ts';
import { CopyError } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { Patience } from '../registry/retry-policy.ts';
import { companionOf, companionRounds } from './referrer-tags.ts';
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
  isWanted?: ((tag: string) => boolean) | undefined;
  /** What becomes of a tag that the target has at another digest. Default: replace. */
  existing?: 'replace' | 'keep';
  /** What tells others that the target is whole, such as a canary: it is copied after all else, and only if that is there. Default: nothing. */
  isLast?: ((image: SyncImage) => boolean) | undefined;
  /** Only a part of what the target should have was asked for; then that is not copied, unless the target has it at another digest. */
  isPart?: boolean;
  /** Repositories were named by hand: one without a tag that is wanted is a failure. */
  named?: boolean;
  tell: (event: SyncEvent) => void;
}

/** `gave-up`: one image, or one repository, after the other failed for what may pass, so that the rest would have too. */
export type SyncEnd = 'done' | 'interrupted' | 'gave-up';

/** Repositories that are compared at once. */
const COMPARED_AT_ONCE = 8;
/** Images that wait for their turn; comparing waits while there are more, so that memory does not grow with a registry. */
const MAX_WAITING = 20_000;
/** Images, or repositories, that may fail one after the other for what may pass. */
const MAX_IN_A_ROW = 8;

/** Brings a registry in step with another, once. What is deleted from the source stays on the target. */
export class Sync {
  readonly #options: SyncOptions;
  readonly #comparison: Comparison;
  readonly #comparing = new PQueue({ concurrency: COMPARED_AT_ONCE });
  readonly #copying: WorkList<SyncImage>;
  readonly #givenUp = new AbortController();
  /** Of what is under way. */
  #end = this.#givenUp.signal;
  readonly #failedInARow = { images: 0, repositories: 0 };
  #failed = 0;
  readonly #last: SyncImage[] = [];
  /** A tag that the source had at the beginning. */
  #witness: { repository: RepositoryPair; tag: string } | undefined;

  constructor(options: SyncOptions) {
    this.#options = options;
    const { source, target, isWanted } = options;
    this.#comparison = new Comparison({
      source,
      target,
      ...(isWanted ? { isWanted: (tag: string) => isWanted(tag) || companionOf(tag) !== undefined } : {}),
    });
    this.#copying = new WorkList(options.images, (image) => this.#image(image, this.#end));
  }

  /**
   * Resolves when nothing is under way any more.
   * @throws what `pairs` throws, once all that it gave before is done
   */
  async run(pairs: AsyncIterable<RepositoryPair>, signal: AbortSignal): Promise<SyncEnd> {
    const end = AbortSignal.any([signal, this.#givenUp.signal]);
    this.#end = end;
    const open = new Set<Promise<void>>();
    try {
      for await (const pair of pairs) {
        const repository = this.#repository(pair, end).finally(() => open.delete(repository));
        open.add(repository);
        await this.#comparing.onSizeLessThan(1);
        await this.#copying.room(MAX_WAITING);
        if (end.aborted) break;
      }
    } catch (error) {
      if (!end.aborted) throw error;
    } finally {
      await Promise.all(open);
    }
    if (!end.aborted) await this.#look(end);
    if (!end.aborted) await this.#copying.all(this.#last);
    if (signal.aborted) return 'interrupted';
    return this.#givenUp.signal.aborted ? 'gave-up' : 'done';
  }

  /** Never rejects. */
  async #repository(repository: RepositoryPair, signal: AbortSignal): Promise<void> {
    const { tell, source, target, copy } = this.#options;
    try {
      const found = await this.#comparing.add(async () =>
        signal.aborted ? undefined : this.#open(await this.#comparison.compare(repository, signal)),
      );
      if (!found) return;
      this.#failedInARow.repositories = 0;
      const { same, surplus, main, others } = found;
      tell({ kind: 'compared', repository, same, surplus });
      await this.#tags(repository, main);
      const options = { source, target, repository, main, others, copies: copy !== undefined };
      for await (const companions of companionRounds(options, signal)) await this.#tags(repository, companions);
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(repository, undefined, reasonOf(error));
      this.#failedOne('repositories', error);
    }
  }

  /**
   * What is to be done for a repository; it may wait for hours for its turn, and so nothing is kept of tags that are the same.
   * @throws CopyError where there is none of those that were named
   */
  #open({ repository, tags }: ComparedRepository) {
    const { named, source, isWanted = () => true } = this.#options;
    const main = tags.filter(({ state, tag }) => state !== 'surplus' && isWanted(tag));
    if (named && main.length === 0)
      throw new CopyError(`${source.name} has no such repository, or no tag in it that is wanted`);
    const [first] = main;
    if (first) this.#witness ??= { repository, tag: first.tag };
    const open = tags.filter(({ state }) => state === 'missing' || state === 'differs');
    return {
      same: main.filter(({ state }) => state === 'same').length,
      surplus: tags.filter(({ state, tag }) => state === 'surplus' && isWanted(tag)).length,
      main: open.filter(({ tag }) => isWanted(tag)),
      others: open.filter(({ tag }) => !isWanted(tag)),
    };
  }

  /** A source whose storage was unmounted meanwhile has repositories without tags, as if it were empty. Never rejects. */
  async #look(signal: AbortSignal): Promise<void> {
    if (!this.#witness) return;
    const { source } = this.#options;
    const { repository, tag } = this.#witness;
    try {
      if ((await source.digestOf(repository.source, tag, signal)) !== undefined) return;
      const reason = `${source.name} has lost the tag ${tag} meanwhile: if its storage is gone, it has listed less than it had`;
      this.#fail(repository, undefined, reason);
    } catch (error) {
      if (!signal.aborted) this.#fail(repository, undefined, reasonOf(error));
    }
  }

  async #tags(repository: RepositoryPair, tags: readonly ComparedTag[]): Promise<void> {
    const { tell, copy, existing, isLast = () => false } = this.#options;
    const images = tags.flatMap(({ tag, state }): SyncImage[] =>
      state === 'missing' || state === 'differs' ? [{ repository, tag, state }] : [],
    );
    const stays = ({ state }: SyncImage) => state === 'differs' && existing === 'keep';
    for (const image of images) tell({ kind: stays(image) ? 'kept' : 'planned', image });
    if (copy === undefined) return;
    const wanted = images.filter((image) => !stays(image));
    this.#last.push(...wanted.filter(isLast));
    await this.#copying.all(wanted.filter((image) => !isLast(image)));
  }

  /** Never rejects. */
  async #image(image: SyncImage, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { tell, source } = this.#options;
    const { repository, tag } = image;
    tell({ kind: 'began', image });
    const began = performance.now();
    try {
      this.#mayTell(image);
      const result = await this.#copy(image, signal);
      this.#failedInARow.images = 0;
      if (result === 'kept') tell({ kind: 'kept', image });
      else if (result.outcome === 'absent')
        throw new CopyError(`${source.name} listed ${repository.source}:${tag}, and does not have it`);
      else tell({ kind: 'copied', image, result, ms: performance.now() - began });
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(repository, image, reasonOf(error));
      this.#failedOne('images', error);
    }
  }

  /** @throws CopyError for what would tell others that all is there, and is not */
  #mayTell(image: SyncImage): void {
    const { isLast, isPart } = this.#options;
    if (!isLast?.(image)) return;
    const left = 'left out, because it would tell that all is there, and';
    if (this.#failed > 0) throw new CopyError(`${left} ${this.#failed} failed`);
    if (isPart && image.state === 'missing') throw new CopyError(`${left} only a part was asked for`);
  }

  /** One after the other failed for what may pass: the rest would too. */
  #failedOne(what: 'images' | 'repositories', error: unknown): void {
    this.#failedInARow[what] = Patience.mayPass(error) ? this.#failedInARow[what] + 1 : 0;
    if (this.#failedInARow[what] >= MAX_IN_A_ROW) this.#givenUp.abort();
  }

  #fail(repository: RepositoryPair, image: SyncImage | undefined, reason: string): void {
    this.#failed += 1;
    this.#options.tell({ kind: 'failed', repository, image, reason });
  }

  async #copy(image: SyncImage, signal: AbortSignal): Promise<CopyResult | 'kept'> {
    const { source, target, copy, tell, existing } = this.#options;
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
          expected: (bytes) => tell({ kind: 'expected', image, bytes }),
          sent: (bytes) => tell({ kind: 'sent', image, bytes }),
        },
      );
    if (existing !== 'keep') return run(tag);
    // Everything but the tag goes first, so that there is no time in which somebody else could push it.
    const digest = await source.digestOf(repository.source, tag, signal);
    const content = digest === undefined ? undefined : await run(digest);
    const there = await target.digestOf(repository.target, tag, signal);
    if (there !== undefined && there !== digest) return 'kept';
    const tagged = await run(tag);
    return content && tagged.outcome === 'copied' ? sumOf(content, tagged) : tagged;
  }
}

function sumOf(one: CopyResult, other: CopyResult): CopyResult {
  const blobs = {
    uploaded: one.blobs.uploaded + other.blobs.uploaded,
    mounted: one.blobs.mounted + other.blobs.mounted,
    there: one.blobs.there,
  };
  return { ...other, blobs, manifests: one.manifests + other.manifests, bytes: one.bytes + other.bytes };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
