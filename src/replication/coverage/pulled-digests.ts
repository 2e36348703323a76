import { LRUCache } from 'lru-cache';
import PQueue from 'p-queue';
import { findRoute, type Route, toUpstream } from '../../failover/rewrite.ts';
import { CopyError } from '../copy-error.ts';
import type { CopyRoute, RepositoryPair } from '../copy-route.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import type { TagCoverage } from './coverage.ts';
import type { PulledLog, PulledManifest } from './pulled-log.ts';

export interface PulledDigestsOptions {
  copyRoute: CopyRoute;
  routes: readonly Route[];
  pulls: Pick<PulledLog, 'within'>;
  now?: () => number;
}

/** A digest that the fallback lacks and the push upstream has. */
export interface MissingDigest {
  repository: RepositoryPair;
  digest: string;
}

export interface DigestCheck {
  missing: MissingDigest[];
  /** Why not all were looked at; undefined: they were. */
  failed: string | undefined;
}

interface KnownDigest {
  state: TagCoverage;
  at: number;
}

/** What there is room for in the log of pulls. */
const MAX_DIGESTS = 50_000;
const CONCURRENCY = 8;
/** Pulls that count, in milliseconds. */
const WINDOW_MS = 31 * 86_400_000;
/** What is there is looked at again so rarely, in milliseconds: nobody deletes it but whoever cleans up there. */
const RECHECK_MS = 86_400_000;

/**
 * What clients pulled by digest, and whether the fallback has it. A comparison of tags does not tell: what is pinned by digest often has no
 * tag any more.
 */
export class PulledDigests {
  readonly #options: PulledDigestsOptions;
  readonly #now: () => number;
  readonly #known = new LRUCache<string, KnownDigest>({ max: MAX_DIGESTS });

  constructor(options: PulledDigestsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** @param repository as clients name it */
  digestState(repository: string, digest: string): TagCoverage {
    return this.#known.peek(`${repository}\n${digest}`)?.state ?? 'unknown';
  }

  markCopied(repository: string, digest: string): void {
    this.#record(repository, digest, 'covered');
  }

  /** The push upstream has no such manifest any more. */
  markDeleted(repository: string, digest: string): void {
    this.#record(repository, digest, 'gone');
  }

  /**
   * Looks at those that are not known to be there. One request each, and a second for each that is missing. Never rejects.
   * @returns what is to be copied, and why not all could be looked at
   */
  async check(source: RemoteRegistry, target: RemoteRegistry, signal: AbortSignal): Promise<DigestCheck> {
    const checked: DigestCheck = { missing: [], failed: undefined };
    const queue = new PQueue({ concurrency: CONCURRENCY });
    let over = false;
    for (const { repository, reference: digest } of this.#unconfirmed()) {
      await queue.onSizeLessThan(CONCURRENCY);
      if (over || signal.aborted) break;
      const look = async () => {
        const pair = this.#pair(repository);
        const there = await target.resolveDigest(pair.target, digest, signal);
        const here = there ?? (await source.resolveDigest(pair.source, digest, signal));
        this.#record(repository, digest, there !== undefined ? 'covered' : here !== undefined ? 'missing' : 'gone');
        if (there === undefined && here !== undefined) checked.missing.push({ repository: pair, digest });
      };
      void queue.add(look).catch((error: unknown) => {
        checked.failed ??= error instanceof Error ? error.message : String(error);
        // Of one repository it may be for good; what may pass would keep each of the others waiting too.
        over ||= !(error instanceof CopyError) || error.retryable;
      });
    }
    await queue.onIdle();
    return checked;
  }

  /** Those of this route that have to be looked at. */
  #unconfirmed(): PulledManifest[] {
    const { copyRoute, routes, pulls } = this.#options;
    return [...pulls.within(WINDOW_MS)].filter(({ registry, repository, reference }) => {
      if (!reference.includes(':') || findRoute(routes, registry, repository) !== copyRoute.route) return false;
      const known = this.#known.peek(`${repository}\n${reference}`);
      return known?.state !== 'covered' || this.#now() - known.at > RECHECK_MS;
    });
  }

  #pair(repository: string): RepositoryPair {
    const { route, source, target } = this.#options.copyRoute;
    return { source: toUpstream(route, source, repository), target: toUpstream(route, target, repository) };
  }

  #record(repository: string, digest: string, state: TagCoverage): void {
    this.#known.set(`${repository}\n${digest}`, { state, at: this.#now() });
  }
}
