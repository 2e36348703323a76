/** One decision of the authority. */
export interface GrantEntry {
  /** When the authority was asked; monotonic milliseconds. */
  at: number;
  granted: boolean;
}

const MAX_REPOSITORIES = 2000;
/** Key for the password itself: it was right. No repository has this name. */
const PASSWORD = '';
/** Key for the password itself: it was refused, and all earlier grants are void. */
const REFUSED = '!';

/**
 * Decisions of the authority about one user with one password. The latest decision for each repository counts, whatever the order of
 * arrival, so that edges that exchange all decisions end up with the same record.
 */
export class GrantRecord {
  /** The oldest update first. */
  readonly #entries = new Map<string, GrantEntry>();

  /**
   * When the authority granted the pull; undefined: it did not, or revoked the grant.
   * @param records all records of the user; several while the key is being replaced
   * @param repository undefined: when the authority accepted the password
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

  /** Merges decisions. @returns the repositories whose decision changed */
  merge(entries: Iterable<readonly [repository: string, entry: GrantEntry]>): string[] {
    const changed = [...entries].filter(([repository, entry]) => this.#set(repository, entry)).map(([name]) => name);
    if (changed.length > 0) this.#prune();
    return changed;
  }

  /** Entries for an accepted password and the repositories it opens. */
  static accepted(repositories: readonly string[], at: number): [string, GrantEntry][] {
    return [PASSWORD, ...repositories].map((name) => [name, { at, granted: true }]);
  }

  /** Entries for revoked grants. @param repositories undefined: the password is wrong now */
  static refused(repositories: readonly string[] | undefined, at: number): [string, GrantEntry][] {
    return (repositories ?? [REFUSED]).map((name) => [name, { at, granted: false }]);
  }

  #set(repository: string, entry: GrantEntry): boolean {
    const known = this.#entries.get(repository);
    // At equal times a refusal wins.
    if (known && (known.at > entry.at || (known.at === entry.at && (!known.granted || entry.granted)))) return false;
    this.#entries.delete(repository);
    this.#entries.set(repository, entry);
    return true;
  }

  /** Drops what a refusal voided, and the oldest entries beyond the bound. */
  #prune(): void {
    const refusedAt = this.#entries.get(REFUSED)?.at ?? 0;
    const others = [PASSWORD, REFUSED].filter((name) => this.#entries.has(name)).length;
    for (const [name, { at }] of this.#entries) {
      const room = this.#entries.size - others <= MAX_REPOSITORIES;
      if (name === REFUSED || (at > refusedAt && (room || name === PASSWORD))) continue;
      this.#entries.delete(name);
    }
  }
}
