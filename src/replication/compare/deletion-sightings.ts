/** Tags that only the target has, of one repository, as one comparison found them. */
export interface MissingTags {
  /** The repository on the source. */
  repository: string;
  tags: readonly string[];
}

export interface DeletionSightingsOptions {
  /**
   * The ledger time at which the source was last seen to have the tag; undefined: the ledger does not know, or has the tag as deleted.
   */
  lastSeen: (repository: string, tag: string) => number | undefined;
  /** Most tags that are remembered. Others are deleted later, when there is room. */
  max?: number;
}

const MAX_TAGS = 100_000;

/**
 * Tags that the source lacked when a comparison looked, and the target has. A second comparison confirms the deletion. A restored snapshot,
 * a storage that is being mounted, and a list that lacks a page look like deletions to a single comparison.
 */
export class DeletionSightings {
  readonly #options: Required<DeletionSightingsOptions>;
  /** Repository -> tag -> ledger time of the comparison that first saw the tag deleted. */
  #seen = new Map<string, ReadonlyMap<string, number>>();
  #size = 0;

  constructor(options: DeletionSightingsOptions) {
    this.#options = { max: MAX_TAGS, ...options };
  }

  /**
   * Takes what a complete comparison found.
   * @param found repositories that were compared, each once, also those that lack no tag
   * @param at ledger time at which the comparison began
   * @returns the tags that an earlier comparison saw deleted too, and that were not there in between; and how many tags were seen deleted
   * for the first time
   */
  confirm(found: Iterable<MissingTags>, at: number): { confirmed: MissingTags[]; unconfirmed: number } {
    const confirmed: MissingTags[] = [];
    let unconfirmed = 0;
    for (const { repository, tags } of found) {
      const before = this.#seen.get(repository);
      const isSecond = (tag: string) => {
        const first = before?.get(tag);
        return first !== undefined && (this.#options.lastSeen(repository, tag) ?? first) <= first;
      };
      const twice = tags.filter(isSecond);
      // A deletion that the target refuses is confirmed again at each comparison.
      const since = (tag: string) => (isSecond(tag) ? (before?.get(tag) ?? at) : at);
      this.#remember(repository, new Map(tags.map((tag) => [tag, since(tag)])));
      unconfirmed += tags.length - twice.length;
      if (twice.length > 0) confirmed.push({ repository, tags: twice });
    }
    return { confirmed, unconfirmed };
  }

  /** The source may have the tag again. */
  forget(repository: string, tag: string): void {
    const known = this.#seen.get(repository);
    if (known?.has(tag)) this.#remember(repository, new Map([...known].filter(([name]) => name !== tag)));
  }

  clear(): void {
    this.#seen = new Map();
    this.#size = 0;
  }

  #remember(repository: string, tags: ReadonlyMap<string, number>): void {
    this.#size -= this.#seen.get(repository)?.size ?? 0;
    this.#seen.delete(repository);
    const kept = new Map([...tags].slice(0, Math.max(0, this.#options.max - this.#size)));
    if (kept.size === 0) return;
    this.#seen.set(repository, kept);
    this.#size += kept.size;
  }
}
