import { LRUCache } from 'lru-cache';

/** What a comparison found of a repository. */
export interface RepositoryComparison {
  /** As clients name it. */
  repository: string;
  tags: number;
  /** The fallback has no such tag. */
  missing: readonly string[];
  /** The fallback has another digest. */
  stale: readonly string[];
  /** When it was looked at; epoch milliseconds. What is known to have changed since stays a gap. Default: just now. */
  comparedAt?: number;
  /** The same in the ledger's time. Default: later than anything that happened. */
  ledgerTime?: number;
}

/** A tag that the fallback could not serve as the push upstream has it. */
export interface TagGap {
  tag: string;
  state: 'missing' | 'stale';
  /** When it was first known to be one; epoch milliseconds. */
  since: number;
}

/** Of one repository with gaps. */
export interface RepositoryCoverage {
  repository: string;
  tags: number;
  missing: number;
  stale: number;
  /** Those known for the longest time first; where there are very many, not all. */
  gaps: TagGap[];
}

/** Of all repositories of one way of copying. */
export interface CoverageTotals {
  repositories: number;
  tags: number;
  missing: number;
  stale: number;
  /** Repositories with gaps. */
  incomplete: number;
  /** Share of tags that could be pulled with the right digest, 0 to 1; undefined: nothing is known yet. */
  ratio: number | undefined;
}

/** `gone`: the push upstream has no such thing any more. `unknown`: not compared yet, or one of too many gaps to be named. */
export type TagCoverage = 'covered' | 'missing' | 'stale' | 'gone' | 'unknown';

interface RepositoryState {
  tags: number;
  gaps: Map<string, { state: TagGap['state']; since: number }>;
  /** When something was last said of it; epoch milliseconds. */
  at: number;
  /** In the ledger's time, when a comparison last looked at it; undefined: none has. */
  comparedAt: number | undefined;
  /** Gaps beyond those that there is room to name. */
  unnamed: { missing: number; stale: number };
}

/** Gaps that are kept by name, of all repositories together. */
const MAX_NAMES = 100_000;
/** Copies that are remembered: more than that many things pulled are not asked about. */
const MAX_COPIES = 50_000;

/** What reconcile found, and what was copied since. Memory grows with repositories and gaps, not with tags, of which it knows no others. */
export class Coverage {
  readonly #repositories = new Map<string, RepositoryState>();
  readonly #now: () => number;
  readonly #maxNames: number;
  /** By repository and tag, when it was copied last; in the ledger's time. */
  readonly #copies = new LRUCache<string, number>({ max: MAX_COPIES });
  #names = 0;

  constructor(now: () => number = Date.now, maxNames = MAX_NAMES) {
    this.#now = now;
    this.#maxNames = maxNames;
  }

  /** What was found of a repository. */
  recordComparison(comparison: RepositoryComparison): void {
    const {
      repository,
      tags,
      missing,
      stale,
      comparedAt = Number.POSITIVE_INFINITY,
      ledgerTime = comparedAt,
    } = comparison;
    const before = this.#repositories.get(repository);
    const changed = [...(before?.gaps ?? [])].filter(([, { since }]) => since >= comparedAt);
    this.#drop(repository);
    if (tags + changed.length === 0) return;
    const unnamed = { missing: 0, stale: 0 };
    const known: RepositoryState = { tags, gaps: new Map(), at: this.#now(), comparedAt: ledgerTime, unnamed };
    this.#repositories.set(repository, known);
    for (const [state, names] of [
      ['missing', missing],
      ['stale', stale],
    ] as const)
      for (const tag of names) this.#openGap(known, tag, state, before?.gaps.get(tag)?.since);
    for (const [tag, { state, since }] of changed) if (!known.gaps.has(tag)) this.#openGap(known, tag, state, since);
    known.tags = Math.max(tags, known.gaps.size);
  }

  /** A tag is on the fallback as it is on the push upstream. @param at in the ledger's time */
  markCopied(repository: string, tag: string, at: number): void {
    const known = this.#stateFor(repository);
    this.#closeGap(known, tag);
    this.#copies.set(`${repository}\n${tag}`, at);
    // One that was not heard of when the repository was last looked at.
    if (known.tags === 0) known.tags = 1;
  }

  /** The push upstream shows a tag at another digest, or anew. */
  markChanged(repository: string, tag: string): void {
    const known = this.#stateFor(repository);
    if (!known.gaps.has(tag)) this.#openGap(known, tag, 'stale', undefined);
    const { missing, stale } = gapCounts(known);
    known.tags = Math.max(known.tags, missing + stale);
  }

  /** The push upstream has no such tag any more. */
  markDeleted(repository: string, tag: string): void {
    const known = this.#repositories.get(repository);
    if (!known?.gaps.has(tag)) return;
    this.#closeGap(known, tag);
    known.tags -= 1;
    if (known.tags <= 0) this.#drop(repository);
  }

  /** Those that were listed are all that there are. @param since when that list was begun; epoch milliseconds */
  retainOnly(repositories: ReadonlySet<string>, since: number): void {
    for (const [name, { at }] of this.#repositories) if (!repositories.has(name) && at < since) this.#drop(name);
  }

  has(repository: string): boolean {
    return this.#repositories.has(repository);
  }

  /** @param changedAt since when the push upstream is known to have the tag as it is now, in the ledger's time; undefined: it is not */
  tagState(repository: string, tag: string, changedAt = Number.NEGATIVE_INFINITY): TagCoverage {
    const known = this.#repositories.get(repository);
    if (!known) return 'unknown';
    const gap = known.gaps.get(tag);
    if (gap) return gap.state;
    const copiedAt = this.#copies.peek(`${repository}\n${tag}`);
    const isLookedAt = (at: number | undefined) => at !== undefined && at >= changedAt;
    if (known.unnamed.missing + known.unnamed.stale > 0) return 'unknown';
    return isLookedAt(copiedAt) || isLookedAt(known.comparedAt) ? 'covered' : 'unknown';
  }

  /** Since when a tag is a gap; undefined: it is none, or one without a name. */
  gapSince(repository: string, tag: string): number | undefined {
    return this.#repositories.get(repository)?.gaps.get(tag)?.since;
  }

  /** Since when the oldest gap is one; undefined: there is none. */
  get oldestGapSince(): number | undefined {
    let oldest: number | undefined;
    for (const { gaps } of this.#repositories.values())
      for (const { since } of gaps.values()) if (oldest === undefined || since < oldest) oldest = since;
    return oldest;
  }

  totals(): CoverageTotals {
    const sum = { repositories: this.#repositories.size, tags: 0, missing: 0, stale: 0, incomplete: 0 };
    for (const known of this.#repositories.values()) {
      const { missing, stale } = gapCounts(known);
      sum.tags += known.tags;
      sum.missing += missing;
      sum.stale += stale;
      if (missing + stale > 0) sum.incomplete += 1;
    }
    const { tags, missing, stale } = sum;
    return { ...sum, ratio: tags === 0 ? undefined : Math.max(0, tags - missing - stale) / tags };
  }

  /** Repositories with gaps, the worst first. */
  gaps(max: number): RepositoryCoverage[] {
    return [...this.#repositories]
      .map(([repository, known]) => ({ repository, known, ...gapCounts(known) }))
      .filter(({ missing, stale }) => missing + stale > 0)
      .sort((a, b) => b.missing + b.stale - (a.missing + a.stale) || (a.repository < b.repository ? -1 : 1))
      .slice(0, max)
      .map(({ repository, known: { tags, gaps }, missing, stale }) => ({
        repository,
        tags,
        missing,
        stale,
        gaps: [...gaps].map(([tag, gap]) => ({ tag, ...gap })).sort((a, b) => a.since - b.since),
      }));
  }

  #stateFor(repository: string): RepositoryState {
    const unnamed = { missing: 0, stale: 0 };
    const known = this.#repositories.get(repository) ?? {
      tags: 0,
      gaps: new Map(),
      at: 0,
      comparedAt: undefined,
      unnamed,
    };
    known.at = this.#now();
    this.#repositories.set(repository, known);
    return known;
  }

  #openGap(known: RepositoryState, tag: string, state: TagGap['state'], since: number | undefined): void {
    if (this.#names >= this.#maxNames) {
      known.unnamed[state] += 1;
      return;
    }
    this.#names += 1;
    known.gaps.set(tag, { state, since: since ?? this.#now() });
  }

  #closeGap(known: RepositoryState, tag: string): void {
    if (known.gaps.delete(tag)) this.#names -= 1;
    // It may be one of those; the next comparison counts anew.
    else if (known.unnamed.missing > 0) known.unnamed.missing -= 1;
    else if (known.unnamed.stale > 0) known.unnamed.stale -= 1;
  }

  #drop(repository: string): void {
    this.#names -= this.#repositories.get(repository)?.gaps.size ?? 0;
    this.#repositories.delete(repository);
  }
}

function gapCounts({ gaps, unnamed }: RepositoryState): { missing: number; stale: number } {
  const sum = { ...unnamed };
  for (const { state } of gaps.values()) sum[state] += 1;
  return sum;
}
