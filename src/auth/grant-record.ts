/** One thing that the authority said. */
export interface GrantEntry {
  /** When it was asked, epoch milliseconds: what it said may be that old. */
  at: number;
  granted: boolean;
}

/** In place of a repository: the password is right. No repository has such a name. */
const PASSWORD = '';
/** In place of a repository: the password was refused, and nothing from before counts. */
const REFUSED = '!';

/**
 * What the authority said of one user with one password. Of each repository the last word counts, whatever the order in which words
 * arrive, so that several nodes that tell each other everything end up with the same.
 */
export class GrantRecord {
  /** Those first that were said least recently. */
  readonly #entries = new Map<string, GrantEntry>();
  readonly #max: number;

  /** @param max repositories */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * When the authority let the user pull it; undefined: it did not, or took it back.
   * @param records all of that user: several, while the key is replaced that they are kept by
   * @param repository undefined: when it took the password
   */
  static grantedAt(records: readonly GrantRecord[], repository: string = PASSWORD): number | undefined {
    const said = (name: string) => records.flatMap((record) => record.find(name) ?? []);
    const words = said(repository);
    const last = Math.max(0, ...words.map(({ at }) => at));
    const takenBack = [...said(REFUSED), ...words.filter(({ granted }) => !granted)];
    return words.length > 0 && takenBack.every(({ at }) => at < last) ? last : undefined;
  }

  find(repository: string): GrantEntry | undefined {
    return this.#entries.get(repository);
  }

  /** Takes a word in. @returns the names of what is other than before */
  merge(entries: Iterable<readonly [repository: string, entry: GrantEntry]>): string[] {
    const changed = [...entries].filter(([repository, entry]) => this.#set(repository, entry)).map(([name]) => name);
    if (changed.length > 0) this.#prune();
    return changed;
  }

  /** The password is right, and opens these repositories. */
  static accepted(repositories: readonly string[], at: number): [string, GrantEntry][] {
    return [PASSWORD, ...repositories].map((name) => [name, { at, granted: true }]);
  }

  /** What it no longer opens. @param repositories undefined: the password is wrong now */
  static refused(repositories: readonly string[] | undefined, at: number): [string, GrantEntry][] {
    return (repositories ?? [REFUSED]).map((name) => [name, { at, granted: false }]);
  }

  [Symbol.iterator](): MapIterator<[string, GrantEntry]> {
    return this.#entries[Symbol.iterator]();
  }

  #set(repository: string, entry: GrantEntry): boolean {
    const known = this.#entries.get(repository);
    // At the same moment a refusal counts.
    if (known && (known.at > entry.at || (known.at === entry.at && (!known.granted || entry.granted)))) return false;
    this.#entries.delete(repository);
    this.#entries.set(repository, entry);
    return true;
  }

  /** What a refusal has voided, and what there is too much of. */
  #prune(): void {
    const refusedAt = this.#entries.get(REFUSED)?.at ?? 0;
    const others = [PASSWORD, REFUSED].filter((name) => this.#entries.has(name)).length;
    for (const [name, { at }] of this.#entries) {
      const room = this.#entries.size - others <= this.#max;
      if (name === REFUSED || (at > refusedAt && (room || name === PASSWORD))) continue;
      this.#entries.delete(name);
    }
  }
}
