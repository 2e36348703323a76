/** The tags that are at a digest now, by repository. Tags are given as keys of the store. */
export class DigestIndex {
  /** upstream and repository -> digest -> keys. */
  readonly #repositories = new Map<string, Map<string, Set<string>>>();

  /** Moves a tag from one digest to another; null: no digest. */
  move(key: string, from: string | null, to: string | null): void {
    if (from === to) return;
    const repository = key.slice(0, key.lastIndexOf('\n'));
    if (from !== null) this.#remove(repository, from, key);
    if (to === null) return;
    const digests = this.#repositories.get(repository) ?? new Map<string, Set<string>>();
    this.#repositories.set(repository, digests);
    digests.set(to, (digests.get(to) ?? new Set()).add(key));
  }

  /** Keys of the tags at a digest. The array is a copy, so the tags may move during iteration. */
  keysAt(upstream: string, repository: string, digest: string): string[] {
    return [...(this.#repositories.get(`${upstream}\n${repository}`)?.get(digest) ?? [])];
  }

  #remove(repository: string, digest: string, key: string): void {
    const digests = this.#repositories.get(repository);
    const keys = digests?.get(digest);
    keys?.delete(key);
    if (keys?.size === 0) digests?.delete(digest);
    if (digests?.size === 0) this.#repositories.delete(repository);
  }
}
