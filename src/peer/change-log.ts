interface Change {
  key: string;
  version: number;
}

/** Superseded changes that may pile up before the log is compacted. */
const COMPACT_SLACK = 1024;

/** The order of the last changes, so that another edge can be told what it lacks. */
export class ChangeLog {
  readonly #isKept: (key: string) => boolean;
  /** The newest version of each key. */
  readonly #versions = new Map<string, number>();
  /** Oldest first; a later change of the same key supersedes an earlier one. */
  #changes: Change[] = [];
  #head = 0;
  #limit = COMPACT_SLACK;

  /** @param isKept whether the entry still exists; a dropped entry is not told */
  constructor(isKept: (key: string) => boolean) {
    this.#isKept = isKept;
  }

  /** The version of the last change; 0: none yet. */
  get head(): number {
    return this.#head;
  }

  record(key: string): void {
    this.#head += 1;
    this.#versions.set(key, this.#head);
    this.#changes.push({ key, version: this.#head });
    if (this.#changes.length > this.#limit) this.#compact();
  }

  /**
   * The keys that changed after a version, the oldest change first.
   * @param max most keys
   * @returns next: the version to continue from; equal to `head` once all is told
   */
  since(version: number, max: number): { keys: string[]; next: number } {
    const keys: string[] = [];
    // From the end, because most questions are about the last second.
    const told = this.#changes.findLastIndex((change) => change.version <= version);
    for (const change of this.#changes.slice(told + 1)) {
      if (this.#versions.get(change.key) !== change.version) continue;
      if (keys.length === max) return { keys, next: change.version - 1 };
      keys.push(change.key);
    }
    return { keys, next: this.#head };
  }

  #compact(): void {
    this.#changes = this.#changes.filter(({ key, version }) => {
      if (this.#versions.get(key) !== version) return false;
      if (this.#isKept(key)) return true;
      this.#versions.delete(key);
      return false;
    });
    this.#limit = this.#changes.length * 2 + COMPACT_SLACK;
  }
}
