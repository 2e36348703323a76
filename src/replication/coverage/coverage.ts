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
  /** Tags that changed, and were neither copied nor compared since. */
  unknown: number;
  /** Count of repositories with gaps. */
  incomplete: number;
  /** Share of tags that the fallback can serve with the right digest, 0 to 1; null: nothing is known yet. */
  ratio: number | null;
}

/** `gone`: the push upstream no longer has the tag. `unknown`: not compared yet, or hidden among gaps that are only counted. */
export type TagCoverage = 'covered' | 'missing' | 'stale' | 'gone' | 'unknown';

/**
 * A tag that the fallback cannot serve as the push upstream has it. `unknown`: the tag changed there, and nothing has looked at the fallback
 * since.
 */
interface Gap {
  state: 'missing' | 'stale' | 'unknown';
  /** When the gap was first seen; monotonic milliseconds. */
  since: number;
}

const STATES = ['missing', 'stale', 'unknown'] as const;
type GapCounts = Record<Gap['state'], number>;

interface RepositoryState {
  /** Tags of the push upstream, as the last look counted them. */
  listed: number;
  /** Tags that came since, and when; monotonic milliseconds. */
  added: Map<string, number>;
  gaps: Map<string, Gap>;
  /** Time of the last update; monotonic milliseconds. */
  at: number;
  /** Ledger time of the last comparison; undefined: never compared. */
  comparedAt: number | undefined;
  /** When the tags were last counted, after the last answer; monotonic milliseconds. */
  countedAt: number | undefined;
  /** Gaps that are counted but not named. */
  unnamed: GapCounts;
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
    const added = [...(before?.added ?? [])].filter(([, at]) => at >= comparedAt);
    this.#drop(repository);
    if (tags + changed.length + added.length === 0) return;
    const known = this.#stateFor(repository);
    known.comparedAt = ledgerTime;
    known.countedAt = this.#now();
    known.listed = tags;
    for (const [tag, at] of added) this.#addTag(known, tag, at);
    for (const tag of missing) this.#openGap(known, tag, 'missing', before?.gaps.get(tag)?.since);
    for (const tag of stale) this.#openGap(known, tag, 'stale', before?.gaps.get(tag)?.since);
    for (const [tag, { state, since }] of changed) if (!known.gaps.has(tag)) this.#openGap(known, tag, state, since);
  }

  /**
   * Records the tags that the push upstream lists, and those of them that the fallback does not. Their digests were not compared.
   */
  recordLists(
    found: Omit<RepositoryComparison, 'stale' | 'tags' | 'ledgerTime'> & { tags: ReadonlySet<string> },
  ): void {
    const { repository, tags, missing, comparedAt } = found;
    const known = this.#stateFor(repository);
    known.listed = tags.size;
    known.countedAt = this.#now();
    known.unnamed.missing = 0;
    for (const [tag, at] of known.added) if (at < comparedAt && known.added.delete(tag)) this.#names -= 1;
    const lacking = new Set(missing);
    for (const [tag, gap] of known.gaps) {
      if (gap.state === 'unknown' || gap.since >= comparedAt) continue;
      if (!tags.has(tag)) this.#closeGap(known, tag);
      else if (lacking.has(tag)) gap.state = 'missing';
      // The fallback has the tag now, at any digest.
      else if (gap.state === 'missing') gap.state = 'unknown';
    }
    for (const tag of missing) if (!known.gaps.has(tag)) this.#openGap(known, tag, 'missing', undefined);
    if (tagCount(known) === 0) this.#drop(repository);
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
    if (tagCount(known) === 0) this.#addTag(known, tag, this.#now());
  }

  /**
   * Records that the push upstream shows a new tag, or another digest of a tag. What the fallback has of it is not known.
   * @param isNew the push upstream did not have the tag when the repository was last looked at
   */
  markChanged(repository: string, tag: string, isNew = false): void {
    const known = this.#stateFor(repository);
    if (isNew || tagCount(known) === 0) this.#addTag(known, tag, this.#now());
    if (!known.gaps.has(tag)) this.#openGap(known, tag, 'unknown', undefined);
  }

  /** Records that the fallback lacks an image which may be on the push upstream. @param isNew see `markChanged` */
  markMissing(repository: string, reference: string, isNew: boolean): void {
    const known = this.#stateFor(repository);
    if (known.gaps.has(reference)) return;
    if (isNew) this.#addTag(known, reference, this.#now());
    this.#openGap(known, reference, 'missing', undefined);
  }

  /** Records that the push upstream no longer has a tag. */
  markDeleted(repository: string, tag: string): void {
    const known = this.#repositories.get(repository);
    if (!known) return;
    const wasAdded = known.added.delete(tag);
    if (wasAdded) this.#names -= 1;
    else if (known.gaps.has(tag)) known.listed = Math.max(0, known.listed - 1);
    if (known.gaps.has(tag)) this.#closeGap(known, tag);
    if (tagCount(known) === 0) this.#drop(repository);
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
    if (sumOf(known.unnamed) > 0) return 'unknown';
    return isLookedAt(copiedAt) || isLookedAt(known.comparedAt) ? 'covered' : 'unknown';
  }

  /** Tags that changed, and of which the fallback may have any state. */
  unknownTags(repository: string): string[] {
    const { gaps = new Map<string, Gap>() } = this.#repositories.get(repository) ?? {};
    return [...gaps].flatMap(([tag, { state }]) => (state === 'unknown' ? tag : []));
  }

  /** Tags that the push upstream listed when they were last counted; undefined: they never were. */
  listed(repository: string): number | undefined {
    const { listed, countedAt } = this.#repositories.get(repository) ?? {};
    return countedAt === undefined ? undefined : listed;
  }

  /** When the tags of a repository were last counted; monotonic milliseconds. Undefined: never. */
  countedAt(repository: string): number | undefined {
    return this.#repositories.get(repository)?.countedAt;
  }

  /** Whether a comparison has read the digests of a repository, and decided what may be replaced on the fallback. */
  wasCompared(repository: string): boolean {
    return this.#repositories.get(repository)?.comparedAt !== undefined;
  }

  /** When the gap of a tag was first seen; undefined: the tag has no named gap. */
  gapSince(repository: string, tag: string): number | undefined {
    return this.#repositories.get(repository)?.gaps.get(tag)?.since;
  }

  /** When the oldest gap was first seen; Infinity: there is no gap. @param state only gaps of this state */
  oldestGapSince(state?: Gap['state']): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { gaps } of this.#repositories.values())
      for (const gap of gaps.values())
        if (state === undefined || gap.state === state) oldest = Math.min(oldest, gap.since);
    return oldest;
  }

  totals(): CoverageTotals {
    const sum = { repositories: this.#repositories.size, tags: 0, missing: 0, stale: 0, unknown: 0, incomplete: 0 };
    for (const known of this.#repositories.values()) {
      const counts = gapCounts(known);
      sum.tags += tagCount(known);
      for (const state of STATES) sum[state] += counts[state];
      if (sumOf(counts) > 0) sum.incomplete += 1;
    }
    const { tags } = sum;
    return { ...sum, ratio: tags === 0 ? null : Math.max(0, tags - sumOf(sum)) / tags };
  }

  /** Repositories with gaps, those with the most gaps first. The oldest gaps come first; beyond a bound, gaps are counted but not listed. */
  gaps(maxRepositories: number, maxTags: number): RepositoryReport[] {
    return [...this.#repositories]
      .map(([repository, known]) => ({ repository, known, ...gapCounts(known) }))
      .filter((counts) => sumOf(counts) > 0)
      .sort(
        (a, b) =>
          b.missing + b.stale - (a.missing + a.stale) ||
          b.unknown - a.unknown ||
          (a.repository < b.repository ? -1 : 1),
      )
      .slice(0, maxRepositories)
      .map(({ repository, known, missing, stale, unknown }) => ({
        repository,
        references: tagCount(known),
        missing,
        stale,
        unknown,
        gaps: [...known.gaps]
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
    const unnamed = { missing: 0, stale: 0, unknown: 0 };
    const none = {
      listed: 0,
      added: new Map(),
      gaps: new Map(),
      at: 0,
      comparedAt: undefined,
      countedAt: undefined,
      unnamed,
    };
    const known: RepositoryState = this.#repositories.get(repository) ?? none;
    known.at = this.#now();
    this.#repositories.set(repository, known);
    return known;
  }

  /** Beyond the bound of names, the next look counts the tag. */
  #addTag({ added }: RepositoryState, tag: string, at: number): void {
    if (!added.has(tag)) {
      if (this.#names >= this.#maxNames) return;
      this.#names += 1;
    }
    added.set(tag, at);
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
    else
      for (const state of STATES) {
        if (known.unnamed[state] === 0) continue;
        known.unnamed[state] -= 1;
        break;
      }
  }

  #drop(repository: string): void {
    const { gaps, added } = this.#repositories.get(repository) ?? {};
    this.#names -= (gaps?.size ?? 0) + (added?.size ?? 0);
    this.#repositories.delete(repository);
  }
}

/** Tags of the push upstream. Each gap is one of them. */
function tagCount({ listed, added, gaps, unnamed }: RepositoryState): number {
  return Math.max(listed + added.size, gaps.size + sumOf(unnamed));
}

function gapCounts({ gaps, unnamed }: RepositoryState): GapCounts {
  const sum = { ...unnamed };
  for (const { state } of gaps.values()) sum[state] += 1;
  return sum;
}

function sumOf({ missing, stale, unknown }: GapCounts): number {
  return missing + stale + unknown;
}
