/** What of a repository is not on the fallback as it is on the push upstream. */
export interface RepositoryCoverage {
  /** As clients name it. */
  repository: string;
  tags: number;
  /** The fallback has no such tag. */
  missing: string[];
  /** The fallback has another digest. */
  stale: string[];
}

/** Of all repositories of one way of copying. */
export interface CoverageSum {
  repositories: number;
  tags: number;
  missing: number;
  stale: number;
  /** Share of tags that could be pulled with the right digest, 0 to 1; undefined: nothing is known yet. */
  ratio: number | undefined;
}

/** Names that are kept of one repository: enough to see what is wrong. */
const MAX_NAMES = 1000;

/** What reconcile found, and what was copied since. Memory grows with repositories and gaps, not with tags. */
export class Coverage {
  readonly #repositories = new Map<string, { tags: number; missing: Set<string>; stale: Set<string> }>();

  /** What was found of a repository. */
  found({ repository, tags, missing, stale }: RepositoryCoverage): void {
    if (tags === 0) this.#repositories.delete(repository);
    else
      this.#repositories.set(repository, {
        tags,
        missing: new Set(missing.slice(0, MAX_NAMES)),
        stale: new Set(stale.slice(0, MAX_NAMES)),
      });
  }

  /** A tag is on the fallback as it is on the push upstream. */
  copied(repository: string, tag: string): void {
    const known = this.#repositories.get(repository) ?? { tags: 0, missing: new Set(), stale: new Set() };
    const before = known.missing.delete(tag) || known.stale.delete(tag);
    // One that was not heard of when the repository was last looked at.
    if (!before && known.tags === 0) known.tags = 1;
    this.#repositories.set(repository, known);
  }

  /** The push upstream shows a tag at another digest, or anew. */
  changed(repository: string, tag: string): void {
    const known = this.#repositories.get(repository) ?? { tags: 0, missing: new Set(), stale: new Set() };
    if (!known.missing.has(tag) && known.stale.size < MAX_NAMES) known.stale.add(tag);
    known.tags = Math.max(known.tags, known.stale.size + known.missing.size);
    this.#repositories.set(repository, known);
  }

  /** Repositories that are no more. */
  keepOnly(repositories: ReadonlySet<string>): void {
    for (const name of this.#repositories.keys()) if (!repositories.has(name)) this.#repositories.delete(name);
  }

  sum(): CoverageSum {
    const sum = { repositories: this.#repositories.size, tags: 0, missing: 0, stale: 0 };
    for (const { tags, missing, stale } of this.#repositories.values()) {
      sum.tags += tags;
      sum.missing += missing.size;
      sum.stale += stale.size;
    }
    const { tags, missing, stale } = sum;
    return { ...sum, ratio: tags === 0 ? undefined : Math.max(0, tags - missing - stale) / tags };
  }

  /** Repositories with gaps, the worst first. */
  gaps(): RepositoryCoverage[] {
    return [...this.#repositories]
      .filter(([, { missing, stale }]) => missing.size + stale.size > 0)
      .map(([repository, { tags, missing, stale }]) => ({ repository, tags, missing: [...missing], stale: [...stale] }))
      .sort((a, b) => b.missing.length + b.stale.length - (a.missing.length + a.stale.length));
  }
}
