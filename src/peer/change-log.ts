interface Change {
  key: string;
  version: number;
}

/** Before it is looked at whether it could be smaller. */
const COMPACT_SLACK = 1024;

/** In which order things changed last, so that another node can be told what it has not heard yet. */
export class ChangeLog {
  readonly #isKept: (key: string) => boolean;
  /** The newest version of each key. */
  readonly #versions = new Map<string, number>();
  /** Oldest first; some are superseded by later ones of the same key. */
  #changes: Change[] = [];
  #head = 0;
  #limit = COMPACT_SLACK;

  /** @param isKept whether the thing is still there; what is not needs no telling */
  constructor(isKept: (key: string) => boolean) {
    this.#isKept = isKept;
  }

  /** The version of the last change. 0: none yet. */
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
   * What changed after a version, that first which changed first.
   * @param max keys
   * @returns next: the version to go on from; equal to `head` once all is told
   */
  since(version: number, max: number): { keys: string[]; next: number } {
    const keys: string[] = [];
    for (let index = this.#after(version); index < this.#changes.length; index += 1) {
      const change = this.#changes[index];
      if (!change || this.#versions.get(change.key) !== change.version) continue;
      if (keys.length === max) return { keys, next: change.version - 1 };
      keys.push(change.key);
    }
    return { keys, next: this.#head };
  }

  /** Index of the first change after a version. */
  #after(version: number): number {
    let [low, high] = [0, this.#changes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#changes[middle]?.version ?? 0) <= version) low = middle + 1;
      else high = middle;
    }
    return low;
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
