import { CopyError, messageOf } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { RetryPolicy } from '../registry/retry-policy.ts';
import { type ComparedRepository, Comparison } from './comparison.ts';

export interface ReconcileOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** Maps a repository of the source to its pair; undefined: the repository is not copied. */
  toPair: (repository: string) => RepositoryPair | undefined;
  /** Repositories of the source that are compared even if the source no longer lists them. */
  remembered?: Iterable<string>;
  /** Clock for `ComparedRepository.ledgerTime`. */
  now: () => number;
  /** Called with each compared repository, and awaited. */
  onRepository: (compared: ComparedRepository) => Promise<void>;
  /** Whether both registries are well now, whatever they say of some repositories. */
  areWell: () => Promise<boolean>;
  /** Called if the source lists no repository at all. What it throws ends the comparison. */
  onNothingListed?: () => Promise<void>;
  /** Called for each repository that could not be compared while others could. */
  onFailure: (repository: RepositoryPair) => void;
}

export interface ReconcileResult {
  repositories: number;
  tags: number;
  gaps: number;
  /** How many repositories could not be compared, with the reason of the first; null: all were compared. */
  failed: string | null;
}

/** Consecutive retryable failures after which the registry itself counts as failing, unless its canary is good. */
const MAX_CONSECUTIVE_FAILURES = 4;

/**
 * Compares every repository that is to be copied.
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function reconcile(
  { source, target, toPair, remembered = [], now, onRepository, areWell, onFailure, onNothingListed }: ReconcileOptions,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const result: ReconcileResult = { repositories: 0, tags: 0, gaps: 0, failed: null };
  const failures = { all: 0, consecutive: 0, first: '' };
  const listed = new Set<string>();
  async function* pairs(): AsyncGenerator<RepositoryPair> {
    const named = async function* () {
      for await (const repository of source.repositories(signal)) {
        listed.add(repository);
        yield repository;
      }
      if (listed.size === 0) await onNothingListed?.();
      for (const repository of remembered) if (!listed.has(repository)) yield repository;
    };
    for await (const repository of named()) {
      const pair = toPair(repository);
      if (pair) yield pair;
    }
  }
  // A repository that cannot be read must not keep the repositories after it from being compared.
  const shouldSkip = async (pair: RepositoryPair, error: unknown) => {
    const retryable = RetryPolicy.isRetryable(error);
    if (signal.aborted || !(retryable || error instanceof CopyError)) return false;
    failures.consecutive += retryable ? 1 : 0;
    if (failures.consecutive >= MAX_CONSECUTIVE_FAILURES) {
      if (!(await areWell())) return false;
      failures.consecutive = 0;
    }
    failures.all += 1;
    failures.first ||= messageOf(error);
    onFailure(pair);
    return true;
  };
  for await (const one of new Comparison({ source, target, now }).compareAll(pairs(), signal)) {
    const compared = await one.compared.catch(async (error: unknown) => {
      if (!(await shouldSkip(one.repository, error))) throw error;
    });
    if (!compared) continue;
    failures.consecutive = 0;
    const wanted = compared.tags.filter(({ state }) => state !== 'surplus');
    result.repositories += listed.has(compared.repository.source) ? 1 : 0;
    result.tags += wanted.length;
    result.gaps += wanted.filter(({ state }) => state !== 'same').length;
    await onRepository(compared);
  }
  if (failures.all > 0) result.failed = `${failures.all} of the repositories could not be compared: ${failures.first}`;
  return result;
}
