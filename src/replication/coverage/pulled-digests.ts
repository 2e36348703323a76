import { LRUCache } from 'lru-cache';
import { monotonicNow } from '../../clock/clock.ts';
import { findRoute, type Route, toUpstream } from '../../failover/rewrite.ts';
import { messageOf } from '../copy-error.ts';
import type { CopyRoute, RepositoryPair } from '../copy-route.ts';
import { mapLimit } from '../map-limit.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { RetryPolicy } from '../registry/retry-policy.ts';
import type { TagCoverage } from './coverage.ts';
import type { PulledLog, PulledManifest } from './pulled-log.ts';

export interface PulledDigestsOptions {
  copyRoute: CopyRoute;
  routes: readonly Route[];
  pulls: Pick<PulledLog, 'within'>;
}

interface DigestCheck {
  /** Digests that the push upstream has and the fallback lacks. */
  missing: { repository: RepositoryPair; digest: string }[];
  /** Why some digests could not be checked; undefined: all were checked. */
  failed: string | undefined;
}

interface KnownDigest {
  state: TagCoverage;
  at: number;
}

/** The same bound as the log of pulls. */
const MAX_DIGESTS = 50_000;
const CONCURRENCY = 8;
const MAX_FAILURES_IN_ROW = 8;
/** Milliseconds for which a pull counts. */
const WINDOW_MS = 31 * 86_400_000;
/** Milliseconds after which a covered digest is checked again. Only a clean-up on the fallback can delete a covered digest. */
const RECHECK_MS = 86_400_000;

/**
 * Whether the fallback has what clients pulled by digest. A comparison of tags cannot tell, because a pinned digest often has no tag any
 * more.
 */
export class PulledDigests {
  readonly #options: PulledDigestsOptions;
  readonly #known = new LRUCache<string, KnownDigest>({ maxSize: MAX_DIGESTS, sizeCalculation: () => 1 });

  constructor(options: PulledDigestsOptions) {
    this.#options = options;
  }

  /** @param repository the name that clients use */
  digestState(repository: string, digest: string): TagCoverage {
    return this.#known.peek(`${repository}\n${digest}`)?.state ?? 'unknown';
  }

  markCopied(repository: string, digest: string): void {
    this.#record(repository, digest, 'covered');
  }

  /** Records that the push upstream no longer has a manifest. */
  markDeleted(repository: string, digest: string): void {
    this.#record(repository, digest, 'gone');
  }

  /**
   * Checks the digests that are not known to be covered, with one request each and a second one for each that is missing. Never rejects.
   * @returns the digests to copy, and why some could not be checked
   */
  async check(source: RemoteRegistry, target: RemoteRegistry, signal: AbortSignal): Promise<DigestCheck> {
    const checked: DigestCheck = { missing: [], failed: undefined };
    let failuresInRow = 0;
    await mapLimit(this.#unconfirmed(), CONCURRENCY, async ({ repository, reference: digest }) => {
      if (failuresInRow >= MAX_FAILURES_IN_ROW || signal.aborted) return;
      try {
        const state = await this.checkOne(repository, digest, source, target, signal);
        failuresInRow = 0;
        if (state === 'missing') checked.missing.push({ repository: this.#pair(repository), digest });
      } catch (error) {
        checked.failed ??= messageOf(error);
        // Retryable failures in a row concern the registry, and would delay the check for long.
        failuresInRow += RetryPolicy.isRetryable(error) ? 1 : 0;
      }
    });
    return checked;
  }

  /** Looks for one digest on the fallback, then on the push upstream. @throws CopyError, UpstreamError */
  async checkOne(
    repository: string,
    digest: string,
    source: RemoteRegistry,
    target: RemoteRegistry,
    signal: AbortSignal,
  ): Promise<TagCoverage> {
    const pair = this.#pair(repository);
    const there = await target.resolveDigest(pair.target, digest, signal);
    const here = there ?? (await source.resolveDigest(pair.source, digest, signal));
    const state = there !== undefined ? 'covered' : here !== undefined ? 'missing' : 'gone';
    this.#record(repository, digest, state);
    return state;
  }

  /** The pulled digests of this route that need a check. */
  #unconfirmed(): PulledManifest[] {
    const { copyRoute, routes, pulls } = this.#options;
    return [...pulls.within(WINDOW_MS)].filter(({ registry, repository, reference }) => {
      if (!reference.includes(':') || findRoute(routes, registry, repository) !== copyRoute.route) return false;
      const known = this.#known.peek(`${repository}\n${reference}`);
      return known?.state !== 'covered' || monotonicNow() - known.at > RECHECK_MS;
    });
  }

  #pair(repository: string): RepositoryPair {
    const { route, source, target } = this.#options.copyRoute;
    return { source: toUpstream(route, source, repository), target: toUpstream(route, target, repository) };
  }

  #record(repository: string, digest: string, state: TagCoverage): void {
    this.#known.set(`${repository}\n${digest}`, { state, at: monotonicNow() });
  }
}
