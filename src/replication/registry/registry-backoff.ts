import { LRUCache } from 'lru-cache';
import { FailureEvidence } from '../../failover/failure-evidence.ts';

const MAX_REPOSITORIES = 1000;
/** Repositories that were asked for a pause within so many milliseconds count together. */
const WINDOW_MS = 60_000;

/**
 * Until when a registry wants to be left alone (Retry-After). A pause that one repository was asked for holds for that
 * repository. If three were asked, it holds for all requests that can wait (rule 8); copies are tried one at a time instead,
 * see `CopyBackoff`. Times are in milliseconds of one clock.
 */
export class RegistryBackoff {
  readonly #until = new LRUCache<string, number>({ maxSize: MAX_REPOSITORIES, sizeCalculation: () => 1 });
  readonly #evidence = new FailureEvidence({ consecutive: 4, volume: 4, window: WINDOW_MS });
  #allUntil = Number.NEGATIVE_INFINITY;

  /**
   * @param repository empty: the registry as a whole
   * @param withOthers whether what other repositories were asked for counts
   */
  remainingMs(repository: string, now: number, withOthers: boolean): number {
    const allUntil = withOthers ? this.#allUntil : now;
    return Math.max(0, allUntil - now, (this.#until.get(repository) ?? now) - now);
  }

  /** Notes that the registry asked for a pause. */
  asked(repository: string, ms: number, now: number): void {
    this.#until.set(repository, Math.max(now + ms, this.#until.get(repository) ?? 0));
    if (this.#evidence.isWidespread({ client: repository, repository }, now))
      this.#allUntil = Math.max(this.#allUntil, now + ms);
  }
}
