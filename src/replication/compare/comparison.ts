import PQueue from 'p-queue';
import type { RepositoryPair } from '../copy-route.ts';
import { mapLimit } from '../map-limit.ts';
import type { RemoteRegistry, RemoteTag } from '../registry/remote-registry.ts';

/** A tag of the source, or of the target alone. */
export interface ComparedTag {
  tag: string;
  /**
   * same: both are at one digest. differs: they are not. missing: the target has no such tag. surplus: only the target has it. Digests are
   * told where they had to be looked at.
   */
  state: 'same' | 'differs' | 'missing' | 'surplus';
  sourceDigest: string | undefined;
  targetDigest: string | undefined;
  /** With `surplus`: the source lists the tag, and has no manifest for it. It is being deleted, or its storage lost something. */
  listedWithoutManifest?: boolean;
}

export interface ComparedRepository {
  repository: RepositoryPair;
  tags: ComparedTag[];
  /** When the first look at it was about to be taken, by the clock of the options. */
  ledgerTime: number;
  /** The same by the host's clock; epoch milliseconds. It may be told much later. */
  comparedAt: number;
}

export interface ComparisonOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** Requests under way at once, of both registries together. Default 16. */
  concurrency?: number;
  /** Which tags count. Default: all. */
  includeTag?: (tag: string) => boolean;
  now?: () => number;
}

const DEFAULT_CONCURRENCY = 16;
/** Repositories that are looked at ahead of the one that is told. */
const LOOKAHEAD = 4;

/**
 * Holds two registries against each other by digest, one repository after the other, so that memory does not grow with them. One list a
 * repository and side where the registry tells digests with it; else a HEAD for each tag that both have.
 */
export class Comparison {
  readonly #source: RemoteRegistry;
  readonly #target: RemoteRegistry;
  readonly #includeTag: (tag: string) => boolean;
  readonly #queue: PQueue;
  readonly #now: () => number;

  constructor({
    source,
    target,
    concurrency = DEFAULT_CONCURRENCY,
    includeTag = () => true,
    now = Date.now,
  }: ComparisonOptions) {
    this.#source = source;
    this.#target = target;
    this.#includeTag = includeTag;
    this.#now = now;
    this.#queue = new PQueue({ concurrency });
  }

  /**
   * In the order of `repositories`.
   * @param shouldSkip whether to go on without one that failed; default: no
   * @throws CopyError, UpstreamError; the signal's reason
   */
  async *compareAll(
    repositories: AsyncIterable<RepositoryPair> | Iterable<RepositoryPair>,
    signal: AbortSignal,
    shouldSkip: (repository: RepositoryPair, error: unknown) => boolean = () => false,
  ): AsyncGenerator<ComparedRepository> {
    const ahead: { repository: RepositoryPair; compared: Promise<ComparedRepository> }[] = [];
    const first = async (longest: number) => {
      const one = ahead.length > longest ? ahead.shift() : undefined;
      return one?.compared.catch((error: unknown) => {
        if (shouldSkip(one.repository, error)) return undefined;
        throw error;
      });
    };
    for await (const repository of repositories) {
      const compared = this.compare(repository, signal);
      // Whoever stops before its turn is not to be told.
      compared.catch(() => undefined);
      ahead.push({ repository, compared });
      const next = await first(LOOKAHEAD);
      if (next) yield next;
    }
    while (ahead.length > 0) {
      const next = await first(0);
      if (next) yield next;
    }
  }

  /** @throws CopyError, UpstreamError; the signal's reason */
  async compare(repository: RepositoryPair, signal: AbortSignal): Promise<ComparedRepository> {
    const [ledgerTime, comparedAt] = [this.#now(), Date.now()];
    const listed = (registry: RemoteRegistry, name: string) =>
      this.#queue.add(() => registry.tags(name, signal), { signal });
    const [sourceTags, targetTags] = await Promise.all([
      listed(this.#source, repository.source),
      listed(this.#target, repository.target),
    ]);
    const targetByName = new Map(targetTags.map((one) => [one.tag, one]));
    const wanted = sourceTags.filter(({ tag }) => this.#includeTag(tag));
    const compared: ComparedTag[] = [];
    // Not all of them at once: what waits for its turn takes memory, of a repository of many tags more than all else.
    await mapLimit([...wanted.entries()], this.#queue.concurrency, async ([index, one]) => {
      compared[index] = await this.#compareTag(repository, one, targetByName.get(one.tag), signal);
    });
    const sourceNames = new Set(sourceTags.map(({ tag }) => tag));
    const surplus = targetTags
      .filter(({ tag }) => this.#includeTag(tag) && !sourceNames.has(tag))
      .map(
        ({ tag, digest }): ComparedTag => ({ tag, state: 'surplus', sourceDigest: undefined, targetDigest: digest }),
      );
    return { repository, ledgerTime, comparedAt, tags: [...compared, ...surplus] };
  }

  async #compareTag(
    repository: RepositoryPair,
    { tag, digest }: RemoteTag,
    target: RemoteTag | undefined,
    signal: AbortSignal,
  ): Promise<ComparedTag> {
    if (!target) return { tag, state: 'missing', sourceDigest: digest, targetDigest: undefined };
    const resolve = (registry: RemoteRegistry, name: string, known: string | undefined) =>
      known ?? this.#queue.add(() => registry.resolveDigest(name, tag, signal), { signal });
    const [sourceDigest, targetDigest] = await Promise.all([
      resolve(this.#source, repository.source, digest),
      resolve(this.#target, repository.target, target.digest),
    ]);
    // It may have been deleted between the list and the look.
    if (targetDigest === undefined) return { tag, state: 'missing', sourceDigest, targetDigest };
    if (sourceDigest === undefined)
      return { tag, state: 'surplus', sourceDigest, targetDigest, listedWithoutManifest: true };
    return { tag, state: sourceDigest === targetDigest ? 'same' : 'differs', sourceDigest, targetDigest };
  }
}
