import { type ComparedRepository, Comparison, type RepositoryPair } from './comparison.ts';
import type { RemoteRegistry } from './remote-registry.ts';

export interface ReconcileOptions {
  source: RemoteRegistry;
  target: RemoteRegistry;
  /** Where a repository of the source goes; undefined: it is not copied. */
  pairOf: (repository: string) => RepositoryPair | undefined;
  /** For `ComparedRepository.at`. */
  now: () => number;
  /** Told of each repository, and waited for. */
  onRepository: (compared: ComparedRepository) => Promise<void>;
}

export interface ReconcileResult {
  repositories: number;
  tags: number;
  gaps: number;
}

/**
 * Compares all that is to be copied, repository by repository.
 * @throws CopyError, UpstreamError; the signal's reason
 */
export async function reconcile(
  { source, target, pairOf, now, onRepository }: ReconcileOptions,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const result: ReconcileResult = { repositories: 0, tags: 0, gaps: 0 };
  async function* pairs(): AsyncGenerator<RepositoryPair> {
    for await (const repository of source.repositories(signal)) {
      const pair = pairOf(repository);
      if (pair) yield pair;
    }
  }
  for await (const compared of new Comparison({ source, target, now }).over(pairs(), signal)) {
    const wanted = compared.tags.filter(({ state }) => state !== 'surplus');
    result.repositories += 1;
    result.tags += wanted.length;
    result.gaps += wanted.filter(({ state }) => state !== 'same').length;
    await onRepository(compared);
  }
  return result;
}
