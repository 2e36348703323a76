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

/** Tags that wait for the operator, by repository of the source. Each comparison of a repository decides anew. */
export class WaitingTags {
  readonly #waiting = new Map<string, ReadonlyMap<string, WaitingTag>>();

  get count(): number {
    return [...this.#waiting.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Repository of the source, and tag; the oldest first within a repository. */
  *all(): Generator<{ repository: string; waiting: WaitingTag }> {
    for (const [repository, tags] of this.#waiting) for (const waiting of tags.values()) yield { repository, waiting };
  }

  has(repository: string, tag: string): boolean {
    return this.#waiting.get(repository)?.has(tag) === true;
  }

  /** The tag was pushed again, or is in step. */
  forget(repository: string, tag: string): void {
    const tags = new Map(this.#waiting.get(repository));
    if (tags.delete(tag)) this.#set(repository, tags);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** Drops other repositories, after a complete comparison. */
  retainOnly(isKept: (repository: string) => boolean): void {
    for (const repository of this.#waiting.keys()) if (!isKept(repository)) this.#waiting.delete(repository);
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
    const found = await waitingOf(repository, undecided, options, signal);
    const waiting = found.map((one) => ({ ...one, since: before?.get(one.tag)?.since ?? comparedAt }));
    this.#set(repository.source, new Map(waiting.map((one) => [one.tag, one])));
    return differing.flatMap(({ tag }) => (this.has(repository.source, tag) ? [] : tag));
  }

  #set(repository: string, tags: ReadonlyMap<string, WaitingTag>): void {
    if (tags.size > 0) this.#waiting.set(repository, tags);
    else this.#waiting.delete(repository);
  }
}

const UNKNOWN: CopyTimes = { primary: undefined, copy: undefined };

/** Asks both registries about tags of which the ledger knows nothing. */
async function waitingOf(
  repository: RepositoryPair,
  tags: readonly DifferingTag[],
  { source, target }: WaitingTagsOptions,
  signal: AbortSignal,
): Promise<Omit<WaitingTag, 'since'>[]> {
  if (tags.length === 0) return [];
  const nothing: TagTimes = new Map();
  const [pushed, copied] = await Promise.all([
    orUnknown(source.tagTimes(repository.source, signal), nothing),
    orUnknown(target.tagTimes(repository.target, signal), nothing),
  ]);
  const waiting: Omit<WaitingTag, 'since'>[] = [];
  await mapLimit(tags, CONCURRENCY, async (one) => {
    const { tag, sourceDigest, targetDigest } = one;
    const times = { primary: timeOf(pushed, tag, sourceDigest), copy: timeOf(copied, tag, targetDigest) };
    const newer = newerByTime(times);
    const asked = newer === 'unknown' ? source.resolveDigest(repository.source, targetDigest, signal) : undefined;
    const primaryHasCopy = asked && (await orUnknown(asked, undefined)) !== undefined;
    if (mayReplaceCopy({ verdict: 'unrecorded', times, primaryHasCopy }) === 'wait')
      waiting.push({ ...one, why: newer === 'copy' ? 'newer' : 'unknown', times });
  });
  return waiting;
}

/** When a tag got this digest. The tag may have moved since the comparison. */
export function timeOf(times: TagTimes, tag: string, digest: string): number | undefined {
  const known = times.get(tag);
  return known?.digest === digest ? known.at : undefined;
}
