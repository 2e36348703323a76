import { LRUCache } from 'lru-cache';
import { unlessAborted } from '../../upstream/unless-aborted.ts';

/** Less than 40 MB of memory. */
const MAX_BLOBS = 100_000;
/** Of each blob; one would do for a mount, but may have been deleted since. */
const MAX_REPOSITORIES = 8;

const MAX_EMPTY_CHECKS = 10_000;
/** For how long a repository that was empty is taken for empty but for what was noted, in milliseconds. */
const EMPTY_MS = 600_000;

/** Which blobs, and manifests, a registry is known to have, and which are on their way to it. */
export class KnownContent {
  /** Digest -> repositories, the one that was noted last is the last. */
  readonly #repositories = new LRUCache<string, string[]>({ max: MAX_BLOBS });
  /** Repository -> whether it had no tag when it was looked at. */
  readonly #empty = new LRUCache<string, Promise<boolean>>({ max: MAX_EMPTY_CHECKS, ttl: EMPTY_MS });
  readonly #inProgress = new Map<string, Promise<void>>();

  has(repository: string, digest: string): boolean {
    return this.#repositories.get(digest)?.includes(repository) ?? false;
  }

  /** A repository that it could be mounted from. */
  mountSource(digest: string): string | undefined {
    return this.#repositories.get(digest)?.at(-1);
  }

  add(repository: string, digest: string): void {
    const others = this.#repositories.get(digest)?.filter((one) => one !== repository) ?? [];
    this.#repositories.set(digest, [...others.slice(1 - MAX_REPOSITORIES), repository]);
  }

  /**
   * Whether a repository is so new that it is not worth asking for each small thing whether it is there.
   * @param look finds out, once for all that ask
   */
  isEmpty(repository: string, look: () => Promise<boolean>): Promise<boolean> {
    const known = this.#empty.get(repository);
    if (known) return known;
    const looking = look();
    this.#empty.set(repository, looking);
    looking.catch(() => this.#empty.delete(repository));
    return looking;
  }

  /** What was known of a blob turned out to be wrong. */
  forget(digest: string): void {
    this.#repositories.delete(digest);
  }

  /** Does something about a blob while nobody else does anything about the same. @throws the signal's reason while it waits */
  async exclusively<T>(digest: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (let other = this.#inProgress.get(digest); other; other = this.#inProgress.get(digest))
      await unlessAborted(signal, other);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#inProgress.set(digest, promise);
    try {
      return await work();
    } finally {
      this.#inProgress.delete(digest);
      resolve();
    }
  }
}
