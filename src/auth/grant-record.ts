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
   * @param repository empty: when the authority accepted the password
   */
  static grantedAt(records: readonly GrantRecord[], repository: string): number | undefined {
    const said = (name: string) => records.flatMap((record) => record.find(name) ?? []);
    const words = said(repository);
    const last = Math.max(0, ...words.map(({ at }) => at));
    const takenBack = [...said(REFUSED), ...words.filter(({ granted }) => !granted)];
    return words.length > 0 && takenBack.every(({ at }) => at < last) ? last : undefined;
  }

  find(repository: string): GrantEntry | undefined {
    return this.#entries.get(repository);
  }

  /** The decision that the next one may only repeat. A refused password is no repetition if something was granted since. */
  repeated(repository: string): GrantEntry | undefined {
    return repository === REFUSED && this.#isGranted(0, Number.POSITIVE_INFINITY) ? undefined : this.find(repository);
  }

  /**
   * Whether a refusal that another edge tells is one that is known, and had come from here. As a new one, it would be a little later with
   * each telling, and take back what was granted since.
   * @param entry its latest time
   * @param earliest its earliest time
   */
  isToldAgain(repository: string, { at, granted }: GrantEntry, earliest: number): boolean {
    const known = this.find(repository);
    if (granted || !known || known.granted || known.at < earliest) return false;
    return repository !== REFUSED || !this.#isGranted(known.at, at);
  }

  /** Whether anything was granted after the one time, and not after the other. */
  #isGranted(after: number, until: number): boolean {
    return [...this.#entries.values()].some(({ at, granted }) => granted && at > after && at <= until);
  }

  /**
   * What contradicts a decision of another edge, and came later: that edge lacks it, because repetitions are not told at once.
   * @param at the latest time of that decision. With an earlier one, two edges could contradict each other for ever
   */
  contradicting(repository: string, { at, granted }: GrantEntry): string[] {
    const names = granted ? [REFUSED, repository] : repository === REFUSED ? [...this.#entries.keys()] : [repository];
    return names.filter((name) => {
      const known = this.find(name);
      return known !== undefined && known.granted !== granted && (granted ? known.at >= at : known.at > at);
    });
  }

  /** Merges decisions. @returns the repositories whose decision changed */
  merge(entries: Iterable<readonly [repository: string, entry: GrantEntry]>): string[] {
    const changed = [...entries].filter(([repository, entry]) => this.#set(repository, entry)).map(([name]) => name);
    if (changed.length > 0) this.#prune();
    return changed;
  }

  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Entries for an accepted password (an empty name) and the repositories it opens. */
  static accepted(names: readonly string[], at: number): [string, GrantEntry][] {
    return names.map((name) => [name, { at, granted: true }]);
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
