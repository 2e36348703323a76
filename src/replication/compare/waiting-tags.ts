import { type CopyTimes, mayReplaceCopy, newerByTime } from '../../failover/newer-copy.ts';
import type { TagVerdict } from '../../failover/tag-history.ts';
import { orUnknown } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import { mapLimit } from '../map-limit.ts';
import type { RemoteRegistry, TagTimes } from '../registry/remote-registry.ts';
import type { ComparedRepository } from './comparison.ts';

/** A tag of the target that is not replaced by the source's until the operator decides. */
export interface WaitingTag {
  tag: string;
  sourceDigest: string;
  targetDigest: string;
  /** `newer`: the target got its digest later. `unknown`: the order is not known, and the source lacks the target's manifest. */
  why: 'newer' | 'unknown';
  times: CopyTimes;
  /** When a comparison first saw this; monotonic milliseconds. */
  since: number;
}

export interface WaitingTagsOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** The ledger's verdict on the target's digest of a tag of the source. */
  verdict: (repository: string, tag: string, digest: string) => TagVerdict;
}

interface DifferingTag {
  tag: string;
  sourceDigest: string;
  targetDigest: string;
}

const CONCURRENCY = 8;
/** Most tags that are kept by name, over all repositories of a copy route. */
const MAX_NAMED = 10_000;

/**
 * Tags that wait for the operator, by repository of the source. Each comparison of a repository decides anew. Beyond a bound, tags are
 * counted but not named (rule 5).
 */
export class WaitingTags {
  readonly #waiting = new Map<string, Map<string, WaitingTag>>();
  /** Repository -> tags that its last comparison counted. Some of them may wait no more: their names are not known. */
  readonly #unnamed = new Map<string, number>();
  readonly #maxNamed: number;
  #named = 0;

  constructor(maxNamed = MAX_NAMED) {
    this.#maxNamed = maxNamed;
  }

  get count(): number {
    return this.#named + this.unnamed;
  }

  get unnamed(): number {
    return [...this.#unnamed.values()].reduce((sum, count) => sum + count, 0);
  }

  unnamedIn(repository: string): number {
    return this.#unnamed.get(repository) ?? 0;
  }

  /** Those that are named: repository of the source, and tag; the oldest first within a repository. */
  *all(max = Number.POSITIVE_INFINITY): Generator<{ repository: string; waiting: WaitingTag }> {
    let left = max;
    for (const [repository, tags] of this.#waiting)
      for (const waiting of tags.values()) {
        if (left <= 0) return;
        left -= 1;
        yield { repository, waiting };
      }
  }

  /** The tag was pushed again, or is in step. */
  forget(repository: string, tag: string): void {
    const tags = this.#waiting.get(repository);
    if (tags?.delete(tag)) this.#named -= 1;
    if (tags?.size === 0) this.#waiting.delete(repository);
  }

  clear(): void {
    this.retainOnly(() => false);
  }

  /** Drops other repositories, after a complete comparison. */
  retainOnly(isKept: (repository: string) => boolean): void {
    for (const repository of [...this.#waiting.keys(), ...this.#unnamed.keys()])
      if (!isKept(repository)) this.#drop(repository);
  }

  /**
   * Decides which of the differing tags wait.
   * @returns the other ones, to be copied
   * @throws the signal's reason
   */
  async decide(compared: ComparedRepository, options: WaitingTagsOptions, signal: AbortSignal): Promise<string[]> {
    const { repository, tags, comparedAt } = compared;
    const differing = tags.flatMap(({ tag, state, sourceDigest, targetDigest }): DifferingTag[] =>
      state === 'differs' && sourceDigest !== undefined && targetDigest !== undefined
        ? [{ tag, sourceDigest, targetDigest }]
        : [],
    );
    const before = this.#waiting.get(repository.source);
    const undecided = differing.filter(({ tag, targetDigest }) => {
      const verdict = options.verdict(repository.source, tag, targetDigest);
      return mayReplaceCopy({ verdict, times: UNKNOWN, primaryHasCopy: undefined }) === 'wait';
    });
    const waiting = new Set<string>();
    const named = new Map<string, WaitingTag>();
    const hasRoom = () => this.#named - (before?.size ?? 0) + named.size < this.#maxNamed;
    await eachWaiting(repository, undecided, options, signal, (one) => {
      waiting.add(one.tag);
      if (hasRoom()) named.set(one.tag, { ...one, since: before?.get(one.tag)?.since ?? comparedAt });
    });
    this.#drop(repository.source);
    if (named.size > 0) this.#waiting.set(repository.source, named);
    if (waiting.size > named.size) this.#unnamed.set(repository.source, waiting.size - named.size);
    this.#named += named.size;
    return differing.flatMap(({ tag }) => (waiting.has(tag) ? [] : tag));
  }

  #drop(repository: string): void {
    this.#named -= this.#waiting.get(repository)?.size ?? 0;
    this.#waiting.delete(repository);
    this.#unnamed.delete(repository);
  }
}

const UNKNOWN: CopyTimes = { primary: undefined, copy: undefined };

/** Asks both registries about tags of which the ledger knows nothing. Calls `onWaiting` with each that waits. */
async function eachWaiting(
  repository: RepositoryPair,
  tags: readonly DifferingTag[],
  { source, target }: WaitingTagsOptions,
  signal: AbortSignal,
  onWaiting: (tag: Omit<WaitingTag, 'since'>) => void,
): Promise<void> {
  if (tags.length === 0) return;
  const nothing: TagTimes = new Map();
  const [pushed, copied] = await Promise.all([
    orUnknown(source.tagTimes(repository.source, signal), nothing),
    orUnknown(target.tagTimes(repository.target, signal), nothing),
  ]);
  await mapLimit(tags, CONCURRENCY, async (one) => {
    const { tag, sourceDigest, targetDigest } = one;
    const times = { primary: timeOf(pushed, tag, sourceDigest), copy: timeOf(copied, tag, targetDigest) };
    const newer = newerByTime(times);
    const asked = newer === 'unknown' ? source.resolveDigest(repository.source, targetDigest, signal) : undefined;
    const primaryHasCopy = asked && (await orUnknown(asked, undefined)) !== undefined;
    if (mayReplaceCopy({ verdict: 'unrecorded', times, primaryHasCopy }) === 'wait')
      onWaiting({ ...one, why: newer === 'copy' ? 'newer' : 'unknown', times });
  });
}

/** When a tag got this digest. The tag may have moved since the comparison. */
export function timeOf(times: TagTimes, tag: string, digest: string): number | undefined {
  const known = times.get(tag);
  return known?.digest === digest ? known.at : undefined;
}
