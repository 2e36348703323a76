import type { RepositoryPair } from './comparison.ts';
import type { RemoteRegistry } from './remote-registry.ts';
import type { RepositoryMap } from './repository-map.ts';

export interface RepositoryPairsOptions {
  source: RemoteRegistry;
  map: RepositoryMap;
  /** Repositories of the source; undefined: those of its catalog. */
  names: readonly string[] | undefined;
  /** With which their names begin. */
  prefix: string;
}

/** What is to be copied, page by page as the catalog has it. @throws CopyError, UpstreamError; the signal's reason */
export async function* repositoryPairs(
  { source, map, names, prefix }: RepositoryPairsOptions,
  signal: AbortSignal,
): AsyncGenerator<RepositoryPair> {
  for await (const name of names ?? source.repositories(signal)) if (name.startsWith(prefix)) yield* map.pairs(name);
}
