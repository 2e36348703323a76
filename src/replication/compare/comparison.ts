import PQueue from 'p-queue';
import { monotonicNow } from '../../clock/clock.ts';
import { subjectOfTag } from '../../oci/referrers-list.ts';
import { listsAll } from '../copy/referrers-tag.ts';
import type { RepositoryPair } from '../copy-route.ts';
import { mapLimit } from '../map-limit.ts';
import type { RemoteRegistry, RemoteTag } from '../registry/remote-registry.ts';

/** One tag of a repository, compared between source and target. The source may lack the tag. */
export interface ComparedTag {
  tag: string;
  /**
   * `same`: both registries have the same digest, or the target's list of referrers has all of the source's. `differs`: the digests differ. `missing`: the target lacks the tag. `surplus`: only the
   * target has the tag.
   */
  state: 'same' | 'differs' | 'missing' | 'surplus';
  /** Where the comparison had to read it. */
  sourceDigest?: string | undefined;
  /** The same. */
  targetDigest?: string | undefined;
  /**
   * Only with `surplus`: the source lists the tag but has no manifest for it. The tag is being deleted, or the storage of the source lost
   * content.
   */
  listedWithoutManifest?: boolean;
}

export interface ComparedRepository {
  repository: RepositoryPair;
  tags: ComparedTag[];
  /** Time just before the first request for this repository, by `ComparisonOptions.now`. */
  ledgerTime: number;
  /** The same moment in monotonic milliseconds. A consumer may receive the result much later. */
  comparedAt: number;
  /** After the last answer, in monotonic milliseconds. */
  answeredAt: number;
}

export interface ComparisonOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** Whether a tag takes part in the comparison. Default: every tag does. */
  includeTag?: (tag: string) => boolean;
  now?: () => number;
}

/** Concurrent requests, of both registries together. */
const CONCURRENCY = 16;
/** Repositories that are compared ahead of the one that is yielded. */
const LOOKAHEAD = 4;

/**
 * Compares two registries by digest, repository by repository, so that memory does not grow with the registry. A registry that lists
 * digests with its tags takes one list a repository; any other takes one HEAD for each tag that both sides have.
 */
export class Comparison {
  readonly #options: ComparisonOptions;
  readonly #queue = new PQueue({ concurrency: CONCURRENCY });

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  /**
   * Yields comparisons in the order of `repositories`, and begins a few ahead. They reject with CopyError, UpstreamError or the signal's reason.
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async *compareAll(
    repositories: AsyncIterable<RepositoryPair> | Iterable<RepositoryPair>,
    signal: AbortSignal,
  ): AsyncGenerator<{ repository: RepositoryPair; compared: Promise<ComparedRepository> }> {
    const ahead: { repository: RepositoryPair; compared: Promise<ComparedRepository> }[] = [];
    for await (const repository of repositories) {
      const compared = this.compare(repository, signal);
      // A consumer may stop before it receives this result: then the rejection must not stay unhandled.
      compared.catch(() => undefined);
      ahead.push({ repository, compared });
      yield* ahead.splice(0, ahead.length - LOOKAHEAD);
    }
    yield* ahead;
  }

  /** @throws CopyError, UpstreamError; the signal's reason */
  async compare(repository: RepositoryPair, signal: AbortSignal): Promise<ComparedRepository> {
    const { source, target, includeTag = () => true, now = monotonicNow } = this.#options;
    const [ledgerTime, comparedAt] = [now(), monotonicNow()];
    const listed = (registry: RemoteRegistry, name: string) =>
      this.#queue.add(() => registry.tags(name, signal), { signal });
    const [sourceTags, targetTags] = await Promise.all([
      listed(source, repository.source),
      listed(target, repository.target),
    ]);
    const targetByName = new Map(targetTags.map((one) => [one.tag, one]));
    const wanted = sourceTags.filter(({ tag }) => includeTag(tag));
    const compared: ComparedTag[] = [];
    // A queue of thousands of waiting functions would take more memory than all else, so only a few tags are queued at once.
    await mapLimit([...wanted.entries()], CONCURRENCY, async ([index, one]) => {
      compared[index] = await this.#compareTag(repository, one, targetByName.get(one.tag), signal);
    });
    const sourceNames = new Set(sourceTags.map(({ tag }) => tag));
    const surplus = targetTags
      .filter(({ tag }) => includeTag(tag) && !sourceNames.has(tag))
      .map(({ tag }): ComparedTag => ({ tag, state: 'surplus' }));
    return { repository, ledgerTime, comparedAt, answeredAt: monotonicNow(), tags: [...compared, ...surplus] };
  }

  async #compareTag(
    repository: RepositoryPair,
    { tag, digest }: RemoteTag,
    target: RemoteTag | undefined,
    signal: AbortSignal,
  ): Promise<ComparedTag> {
    if (!target) return { tag, state: 'missing', sourceDigest: digest };
    const resolve = (registry: RemoteRegistry, name: string, known: string | undefined) =>
      known ?? this.#queue.add(() => registry.resolveDigest(name, tag, signal), { signal });
    const [sourceDigest, targetDigest] = await Promise.all([
      resolve(this.#options.source, repository.source, digest),
      resolve(this.#options.target, repository.target, target.digest),
    ]);
    // The tag may have been deleted between the list and this request.
    if (targetDigest === undefined) return { tag, state: 'missing', sourceDigest };
    if (sourceDigest === undefined) return { tag, state: 'surplus', listedWithoutManifest: true };
    const isSame = sourceDigest === targetDigest || (await this.#listsAll(repository, tag, signal));
    return { tag, state: isSame ? 'same' : 'differs', sourceDigest, targetDigest };
  }

  /** Where copies keep a referrers tag on the target, it may have more than on the source. */
  async #listsAll(repository: RepositoryPair, tag: string, signal: AbortSignal): Promise<boolean> {
    const subject = subjectOfTag(tag);
    if (subject === undefined) return false;
    const { source, target } = this.#options;
    const ends = {
      source: { registry: source, repository: repository.source },
      target: { registry: target, repository: repository.target },
    };
    return this.#queue.add(() => listsAll(ends, subject, signal), { signal });
  }
}
