import { UpstreamError } from '../../upstream/upstream-error.ts';
import { CopyError } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import type { RepositoryMap } from './repository-map.ts';
import { RepositoryWalk } from './repository-walk.ts';

export interface RepositoryPairsOptions {
  source: RemoteRegistry;
  map: RepositoryMap;
  /** Repositories of the source; undefined: all of its catalog. */
  names: readonly string[] | undefined;
  /** Only repositories whose name begins with this. */
  prefix: string;
}

/** The repositories to copy, as the pages of the catalog arrive. @throws CopyError, UpstreamError; the signal's reason */
export async function* repositoryPairs(
  options: RepositoryPairsOptions,
  signal: AbortSignal,
): AsyncGenerator<RepositoryPair> {
  const { names, prefix, map } = options;
  for await (const name of names ?? listRepositories(options, signal))
    if (name.startsWith(prefix)) yield* map.pairs(name);
}

/** A registry without a readable catalog may list its repositories level by level. */
async function* listRepositories(
  { source, map, prefix }: RepositoryPairsOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let begun = false;
  try {
    for await (const name of source.repositories(signal)) {
      begun = true;
      yield name;
    }
  } catch (error) {
    if (begun || !isRefusal(error)) throw error;
    const walk = new RepositoryWalk(source);
    const isRelevant = (name: string) => name.startsWith(prefix) || prefix.startsWith(`${name}/`);
    // A prefix within another prefix is not listed twice.
    const roots = map.prefixes.filter((one) => !map.prefixes.some((other) => other !== one && one.startsWith(other)));
    for (const root of roots) {
      // An empty prefix has no level to begin with.
      const begin = root === '' ? prefix.slice(0, prefix.lastIndexOf('/') + 1) : root;
      const found = await walk.below(begin, isRelevant, signal).catch((reason: unknown) => {
        if (isRefusal(reason)) return undefined;
        throw reason;
      });
      if (!found) throw error;
      yield* found;
    }
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof CopyError
    ? !error.retryable
    : error instanceof UpstreamError && error.reason === 'credentials';
}
