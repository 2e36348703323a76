import { LRUCache } from 'lru-cache';
import { isoTime, monotonicNow } from '../../clock/clock.ts';
import type { RepositoryReport } from './report.ts';

/** The result of comparing one repository. */
export interface RepositoryComparison {
  /** The repository's name as clients use it. */
  repository: string;
  tags: number;
  /** Tags that the fallback lacks. */
  missing: readonly string[];
  /** Tags that have another digest on the fallback. */
  stale: readonly string[];
  /** Time of the comparison in monotonic milliseconds. A tag that changed later stays a gap. */
  comparedAt: number;
  /** The same time by the ledger's clock. */
  ledgerTime: number;
}

/** Sums over all repositories of one copy route. */
export interface CoverageTotals {
  repositories: number;
  tags: number;
  missing: number;
  stale: number;
  /** Count of repositories with gaps. */
  incomplete: number;
  /** Share of tags that the fallback can serve with the right digest, 0 to 1; null: nothing is known yet. */
  ratio: number | null;
}

/** `gone`: the push upstream no longer has the tag. `unknown`: not compared yet, or hidden among gaps that are only counted. */
export type TagCoverage = 'covered' | 'missing' | 'stale' | 'gone' | 'unknown';

/** A tag that the fallback cannot serve as the push upstream has it. */
interface Gap {
  state: 'missing' | 'stale';
  /** When the gap was first seen; monotonic milliseconds. */
  since: number;
}

interface RepositoryState {
  tags: number;
  gaps: Map<string, Gap>;
  /** Time of the last update; monotonic milliseconds. */
  at: number;
  /** Ledger time of the last comparison; undefined: never compared. */
  comparedAt: number | undefined;
  /** Gaps that are counted but not named. */
  unnamed: { missing: number; stale: number };
}

/** Most gaps that are kept by name, over all repositories. */
const MAX_NAMES = 100_000;
/** Most copies that are remembered by name. */
const MAX_COPIES = 50_000;

/** What comparisons found and what was copied since. Memory grows with repositories and gaps, not with tags. */
export class Coverage {
  readonly #repositories = new Map<string, RepositoryState>();
  readonly #now: () => number;
  readonly #maxNames: number;
  /** Repository and tag -> ledger time of the last copy. */
  readonly #copies = new LRUCache<string, number>({ maxSize: MAX_COPIES, sizeCalculation: () => 1 });
  #names = 0;

  constructor(now: () => number = monotonicNow, maxNames = MAX_NAMES) {
    this.#now = now;
    this.#maxNames = maxNames;
  }

  recordComparison({ repository, tags, missing, stale, comparedAt, ledgerTime }: RepositoryComparison): void {
    const before = this.#repositories.get(repository);
    const changed = [...(before?.gaps ?? [])].filter(([, { since }]) => since >= comparedAt);
    this.#drop(repository);
    if (tags + changed.length === 0) return;
    const known = this.#stateFor(repository);
    known.comparedAt = ledgerTime;
    for (const tag of missing) this.#openGap(known, tag, 'missing', before?.gaps.get(tag)?.since);
    for (const tag of stale) this.#openGap(known, tag, 'stale', before?.gaps.get(tag)?.since);
    for (const [tag, { state, since }] of changed) if (!known.gaps.has(tag)) this.#openGap(known, tag, state, since);
    known.tags = Math.max(tags, known.gaps.size);
  }

  /**
   * Records that the fallback has a tag as the push upstream has it.
   * @param at ledger time
   */
  markCopied(repository: string, tag: string, at: number): void {
    const known = this.#stateFor(repository);
    this.#closeGap(known, tag);
    this.#copies.set(`${repository}\n${tag}`, at);
    // This tag is newer than the last comparison of the repository.
    if (known.tags === 0) known.tags = 1;
  }

  /** Records that the push upstream shows a new tag, or another digest of a tag. */
  markChanged(repository: string, tag: string): void {
    const known = this.#stateFor(repository);
    if (!known.gaps.has(tag)) this.#openGap(known, tag, 'stale', undefined);
    const { missing, stale } = gapCounts(known);
    known.tags = Math.max(known.tags, missing + stale);
  }

  /** Records that the push upstream no longer has a tag. */
  markDeleted(repository: string, tag: string): void {
    const known = this.#repositories.get(repository);
    if (!known?.gaps.has(tag)) return;
    this.#closeGap(known, tag);
    known.tags -= 1;
    if (known.tags <= 0) this.#drop(repository);
  }

  /**
   * Drops repositories that a complete list does not name.
   * @param since when the list was begun; monotonic milliseconds
   */
  retainOnly(repositories: ReadonlySet<string>, since: number): void {
    for (const [name, { at }] of this.#repositories) if (!repositories.has(name) && at < since) this.#drop(name);
  }

  get repositories(): Iterable<string> {
    return this.#repositories.keys();
  }

  has(repository: string): boolean {
    return this.#repositories.has(repository);
  }

  /** @param changedAt ledger time since which the push upstream is known to show the tag as now; undefined: not known */
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

  /** When the gap of a tag was first seen; undefined: the tag has no named gap. */
  gapSince(repository: string, tag: string): number | undefined {
    return this.#repositories.get(repository)?.gaps.get(tag)?.since;
  }

  /** When the oldest gap was first seen; Infinity: there is no gap. */
  get oldestGapSince(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { gaps } of this.#repositories.values())
      for (const { since } of gaps.values()) oldest = Math.min(oldest, since);
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
    return { ...sum, ratio: tags === 0 ? null : Math.max(0, tags - missing - stale) / tags };
  }

  /** Repositories with gaps, those with the most gaps first. The oldest gaps come first; beyond a bound, gaps are counted but not listed. */
  gaps(maxRepositories: number, maxTags: number): RepositoryReport[] {
    return [...this.#repositories]
      .map(([repository, known]) => ({ repository, known, ...gapCounts(known) }))
      .filter(({ missing, stale }) => missing + stale > 0)
      .sort((a, b) => b.missing + b.stale - (a.missing + a.stale) || (a.repository < b.repository ? -1 : 1))
      .slice(0, maxRepositories)
      .map(({ repository, known: { tags, gaps }, missing, stale }) => ({
        repository,
        references: tags,
        missing,
        stale,
        unknown: 0,
        gaps: [...gaps]
          .sort(([, a], [, b]) => a.since - b.since)
          .slice(0, maxTags)
          .map(([reference, { state, since }]) => ({
            reference,
            state,
            since: isoTime(since),
            pulledAt: null,
            failure: null,
          })),
      }));
  }

  #stateFor(repository: string): RepositoryState {
    const unnamed = { missing: 0, stale: 0 };
    const fresh: RepositoryState = { tags: 0, gaps: new Map(), at: 0, comparedAt: undefined, unnamed };
    const known = this.#repositories.get(repository) ?? fresh;
    known.at = this.#now();
    this.#repositories.set(repository, known);
    return known;
  }

  #openGap(known: RepositoryState, tag: string, state: Gap['state'], since: number | undefined): void {
    if (this.#names >= this.#maxNames) {
      known.unnamed[state] += 1;
      return;
    }
    this.#names += 1;
    known.gaps.set(tag, { state, since: since ?? this.#now() });
  }

  #closeGap(known: RepositoryState, tag: string): void {
    if (known.gaps.delete(tag)) this.#names -= 1;
    // The tag may be one of the unnamed gaps; the next comparison counts them again.
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
