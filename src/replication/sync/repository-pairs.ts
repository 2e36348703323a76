import { isRepository } from '../../oci/reference.ts';
import { isRefusal } from '../copy-error.ts';
import type { RepositoryPair } from '../copy-route.ts';
import type { RegistryLists } from '../registry/registry-lists.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import type { RepositoryMap } from './repository-map.ts';

export interface RepositoryPairsOptions {
  source: RemoteRegistry;
  map: RepositoryMap;
  /** Repositories of the source; undefined: all of its catalog. */
  names: readonly string[] | undefined;
  /** Only repositories whose name begins with this. */
  prefix: string;
}

/** A repository name of 255 characters has at most 128 components; real names have a few. */
const MAX_DEPTH = 32;

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
    const isRelevant = (name: string) => name.startsWith(prefix) || prefix.startsWith(`${name}/`);
    // A prefix within another prefix is not listed twice.
    const roots = map.prefixes.filter((one) => !map.prefixes.some((other) => other !== one && one.startsWith(other)));
    for (const root of roots) {
      // An empty prefix has no level to begin with.
      const begin = root === '' ? prefix.slice(0, prefix.lastIndexOf('/') + 1) : root;
      const found = await repositoriesBelow(source, begin, isRelevant, signal).catch((reason: unknown) => {
        if (isRefusal(reason)) return undefined;
        throw reason;
      });
      if (!found) throw error;
      yield* found;
    }
  }
}

/**
 * Finds repositories below a prefix, level by level.
 * @param prefix for example `example-project/`
 * @param isRelevant whether a name, or a name below it, is of interest
 * @returns undefined: this registry does not list the names below a name
 * @throws CopyError, UpstreamError; the signal's reason
 */
async function repositoriesBelow(
  registry: RemoteRegistry,
  prefix: string,
  isRelevant: (name: string) => boolean,
  signal: AbortSignal,
): Promise<AsyncGenerator<string> | undefined> {
  async function* walk(name: string, { tags, children = [] }: RegistryLists, depth = 0): AsyncGenerator<string> {
    if (tags.length > 0) yield name;
    if (depth > MAX_DEPTH) return;
    for (const child of children) {
      const below = `${name}/${child}`;
      const level = isRepository(below) && isRelevant(below) ? await registry.tagPage(below, signal) : undefined;
      if (level) yield* walk(below, level, depth + 1);
    }
  }
  const root = prefix.replace(/\/$/, '');
  const level = root === '' ? undefined : await registry.tagPage(root, signal);
  return level?.children && walk(root, level);
}
