import { LRUCache } from 'lru-cache';
import { unlessAborted } from '../../upstream/unless-aborted.ts';

/** This many entries take less than 40 MB of memory. */
const MAX_BLOBS = 100_000;
/** Repositories remembered for each blob. A mount needs one, which may have been deleted since. */
const MAX_REPOSITORIES = 8;

const MAX_EMPTY_CHECKS = 10_000;
/** Milliseconds for which an empty repository counts as empty, apart from what was copied into it. */
const EMPTY_MS = 600_000;

/** Blobs and manifests that a registry is known to have, and those that are being copied to it. */
export class KnownContent {
  /** Digest -> repositories, the most recent last. */
  readonly #repositories = new LRUCache<string, string[]>({ max: MAX_BLOBS });
  /** Repository -> whether it had no tag when it was checked. */
  readonly #empty = new LRUCache<string, Promise<boolean>>({ max: MAX_EMPTY_CHECKS, ttl: EMPTY_MS });
  readonly #inProgress = new Map<string, Promise<void>>();

  has(repository: string, digest: string): boolean {
    return this.#repositories.get(digest)?.includes(repository) ?? false;
  }

  /** A repository of the registry that a blob can be mounted from. */
  mountSource(digest: string): string | undefined {
    return this.#repositories.get(digest)?.at(-1);
  }

  add(repository: string, digest: string): void {
    const others = this.#repositories.get(digest)?.filter((one) => one !== repository) ?? [];
    this.#repositories.set(digest, [...others.slice(1 - MAX_REPOSITORIES), repository]);
  }

  /**
   * Whether a repository is new, so that small blobs need no check.
   * @param look runs the check, once for all concurrent callers
   */
  isEmpty(repository: string, look: () => Promise<boolean>): Promise<boolean> {
    const known = this.#empty.get(repository);
    if (known) return known;
    const looking = look();
    this.#empty.set(repository, looking);
    looking.catch(() => this.#empty.delete(repository));
    return looking;
  }

  /** Drops a blob that turned out to be missing. */
  forget(digest: string): void {
    this.#repositories.delete(digest);
  }

  /**
   * Runs `work` while no other caller works on the same blob.
   * @throws the signal's reason while waiting
   */
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
