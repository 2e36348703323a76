import type { Loaded } from '../../config/load.ts';
import { CopyError, orUnknown } from '../../replication/copy-error.ts';
import { configuredRegistry } from '../../replication/registry/configured-registry.ts';
import { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { RetryPolicy } from '../../replication/registry/retry-policy.ts';
import { CredentialSources } from '../../upstream/credentials/credential-sources.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';

/** Repositories that are listed to find one that the push upstream should have. */
const MAX_REPOSITORIES = 1000;
const CANARY = /(^|\/)canary$/;

/**
 * Refuses a canary for a push upstream that lists nothing while a fallback has images of the same route. Its storage may not be mounted, and
 * a canary on the bare mount point would make edges believe that nothing is missing there.
 * @throws CopyError
 */
export async function refuseLostStorage(loaded: Loaded, registry: RemoteRegistry, signal: AbortSignal): Promise<void> {
  const { name } = registry;
  const written = loaded.config.routes.filter(({ push }) => push === name);
  const others = written.flatMap(({ prefix, pull }) =>
    pull.flatMap((entry) => (entry.upstream === name ? [] : { name: entry.upstream, prefix: entry.prefix ?? prefix })),
  );
  if (others.length === 0 || (await firstIn(registry, '', signal)) !== null) return;
  for (const other of others) {
    const found = await imageOf(loaded, other, signal);
    if (typeof found === 'string')
      throw new CopyError(`${name} lists no repositories, but ${other.name} has ${found}: its storage may be missing`);
  }
}

async function imageOf(
  { config, material }: Loaded,
  { name, prefix }: { name: string; prefix: string },
  signal: AbortSignal,
): Promise<string | null | undefined> {
  const upstream = config.upstreams[name];
  const [url] = upstream?.urls ?? [];
  if (!upstream || url === undefined) return undefined;
  const network = { resolver: new Resolver(), pool: new BufferPool(), sources: new CredentialSources() };
  const { connection } = configuredRegistry(name, url, upstream, material.upstreams[name] ?? {}, network);
  try {
    return await firstIn(new RemoteRegistry(name, connection, new RetryPolicy({ limitMs: 0 })), prefix, signal);
  } finally {
    await connection.close();
  }
}

/**
 * The first repository under a prefix, canaries apart. Artifact Registry has no catalog, but lists what is below a name.
 * @returns null: the registry lists none; undefined: it does not list its repositories, which says nothing
 */
async function firstIn(
  registry: RemoteRegistry,
  prefix: string,
  signal: AbortSignal,
): Promise<string | null | undefined> {
  let seen = 0;
  try {
    for await (const repository of registry.repositories(signal)) {
      seen += 1;
      if (repository.startsWith(prefix) && !CANARY.test(repository)) return repository;
      if (seen >= MAX_REPOSITORIES) return undefined;
    }
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CopyError || error instanceof UpstreamError) return firstBelow(registry, prefix, signal);
    throw error;
  }
}

async function firstBelow(registry: RemoteRegistry, prefix: string, signal: AbortSignal): Promise<string | undefined> {
  if (prefix === '') return undefined;
  const page = await orUnknown(registry.tagPage(prefix.replace(/\/$/, ''), signal), undefined);
  const first = page?.children?.find((name) => !CANARY.test(name));
  return first === undefined ? undefined : `${prefix}${first}`;
}
