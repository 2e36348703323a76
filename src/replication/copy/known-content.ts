import { LRUCache } from 'lru-cache';
import { monotonicNow } from '../../clock/clock.ts';
import { unlessAborted } from '../../upstream/unless-aborted.ts';

/** This many entries take less than 40 MB of memory. */
const MAX_BLOBS = 100_000;
/** Repositories remembered for each blob. A mount needs one, which may have been deleted since. */
const MAX_REPOSITORIES = 8;

const MAX_EMPTY_CHECKS = 10_000;
/** Milliseconds for which an empty repository counts as empty, apart from what was copied into it. */
const EMPTY_MS = 600_000;

/** Milliseconds without a byte after which others no longer wait for a transfer, and those to commit each byte. */
const STALLED_MS = 2000;
const COMMIT_MS_PER_BYTE = 1e-4;

/** A transfer of one blob. */
interface Transfer {
  done: Promise<void>;
  /** When it last moved, in monotonic milliseconds; Infinity: it waits for its place. */
  movedAt: number;
}

/** Blobs and manifests that a registry is known to have, and those that are being copied to it. */
export class KnownContent {
  /** Digest -> repositories, the most recent last. */
  readonly #repositories = new LRUCache<string, string[]>({ maxSize: MAX_BLOBS, sizeCalculation: () => 1 });
  /** Repository -> whether it had no tag when it was checked. */
  readonly #empty = new LRUCache<string, Promise<boolean>>({
    maxSize: MAX_EMPTY_CHECKS,
    sizeCalculation: () => 1,
    ttl: EMPTY_MS,
  });
  readonly #inProgress = new Map<string, Transfer>();

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
   * Runs `work` while no other caller works on the same blob. A transfer that does not move is not waited for: the upstream
   * may let the blob hang for one repository only.
   * @param work calls `moved` when it begins, and whenever bytes move
   * @throws the signal's reason while waiting
   */
  async exclusively<T>(
    { digest, size = 0 }: { digest: string; size?: number },
    signal: AbortSignal,
    work: (moved: () => void) => Promise<T>,
  ): Promise<T> {
    const patienceMs = STALLED_MS + size * COMMIT_MS_PER_BYTE;
    for (let other = this.#inProgress.get(digest); other; other = this.#inProgress.get(digest)) {
      const stalled = !(await isOver(other, patienceMs, signal));
      if (stalled && this.#inProgress.get(digest) === other) break;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const transfer: Transfer = { done: promise, movedAt: Number.POSITIVE_INFINITY };
    this.#inProgress.set(digest, transfer);
    const moved = () => {
      transfer.movedAt = monotonicNow();
    };
    try {
      return await work(moved);
    } finally {
      if (this.#inProgress.get(digest) === transfer) this.#inProgress.delete(digest);
      resolve();
    }
  }
}

/** Waits for a transfer. @returns false: it has not moved for so long. @throws the signal's reason */
async function isOver(transfer: Transfer, patienceMs: number, signal: AbortSignal): Promise<boolean> {
  const { promise: stalled, resolve } = Promise.withResolvers<false>();
  const timer = setInterval(() => {
    if (monotonicNow() - transfer.movedAt >= patienceMs) resolve(false);
  }, STALLED_MS / 4);
  try {
    return await unlessAborted(signal, Promise.race([transfer.done.then(() => true), stalled]));
  } finally {
    clearInterval(timer);
  }
}
