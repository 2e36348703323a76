import type { Loaded } from '../../config/load.ts';
import { type CopyRoute, configuredCopyRoutes, repositoryPair } from '../../replication/copy-route.ts';
import { configuredRegistry } from '../../replication/registry/configured-registry.ts';
import { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { RetryPolicy } from '../../replication/registry/retry-policy.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { type CheckFinding, remedyFor } from './reachability.ts';

/** Milliseconds for each way of copying. */
const LIMIT_MS = 15_000;
/** Repositories that are looked through for one that is copied. */
const LOOKED_THROUGH = 1000;

/** Looks at each way of copying with the credentials that copies have: what the source lists, and what the target shows. Nothing is written. */
export async function checkReplication(loaded: Loaded): Promise<CheckFinding[]> {
  const { routes, copyRoutes } = configuredCopyRoutes(loaded.config.routes);
  const findings = await Promise.all(copyRoutes.map((on) => checkWay(loaded, routes, on)));
  return findings.flat();
}

async function checkWay(
  { config, material }: Loaded,
  routes: Parameters<typeof repositoryPair>[0],
  on: CopyRoute,
): Promise<CheckFinding[]> {
  const network = { resolver: new Resolver(), pool: new BufferPool() };
  const signal = AbortSignal.timeout(LIMIT_MS);
  const end = (name: string) => {
    const upstream = config.upstreams[name];
    if (!upstream) throw new Error(`no upstream ${name}`);
    const { connection } = configuredRegistry(
      name,
      upstream.urls[0] ?? '',
      upstream,
      material.upstreams[name] ?? {},
      network,
    );
    // Whoever asks wants to know how it is now.
    return new RemoteRegistry(name, connection, new RetryPolicy({ limitMs: 0 }));
  };
  const remedy = (error: unknown, name: string, refused: string) => {
    const upstream = config.upstreams[name];
    const isReached = !(error instanceof UpstreamError) || error.reason === 'credentials';
    return isReached || !upstream ? refused : remedyFor(error.reason, upstream);
  };
  const [source, target] = [end(on.source.upstream), end(on.target.upstream)];
  const subject = `replication ${on.name}`;
  try {
    const pair = await firstPair(source, routes, on, signal).catch((error: unknown) => {
      const refused = `let the account list what ${source.name} has (upstreams.${source.name}.replication.credentials)`;
      throw new Finding(source.name, error, remedy(error, source.name, refused));
    });
    if (!pair)
      return [
        {
          level: 'warning',
          subject,
          message: `${source.name} lists nothing that this route shows: nothing is copied`,
          remedy: 'is its prefix right, and may the account see the repositories?',
        },
      ];
    const tags = await target.tags(pair.target, signal).catch((error: unknown) => {
      const refused = `give the account the right to pull and push at ${target.name} (upstreams.${target.name}.replication.credentials)`;
      throw new Finding(target.name, error, remedy(error, target.name, refused));
    });
    const found = tags.length === 0 ? 'which has none of it yet' : `which has ${tags.length} tags of it`;
    return [
      {
        level: 'ok',
        subject,
        message: `${source.name} lists ${pair.source}, for ${pair.target} on ${target.name}, ${found}`,
      },
    ];
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    return [{ level: 'error', subject, message: error.message, remedy: error.remedy }];
  } finally {
    await Promise.all([source, target].map(({ connection }) => connection.close()));
  }
}

async function firstPair(
  source: RemoteRegistry,
  routes: Parameters<typeof repositoryPair>[0],
  on: CopyRoute,
  signal: AbortSignal,
) {
  let seen = 0;
  for await (const repository of source.repositories(signal)) {
    const pair = repositoryPair(routes, on, repository);
    seen += 1;
    if (pair || seen >= LOOKED_THROUGH) return pair;
  }
  return undefined;
}

class Finding extends Error {
  readonly remedy: string;

  constructor(upstream: string, cause: unknown, remedy: string) {
    const message = cause instanceof Error ? cause.message : String(cause);
    super(message.startsWith(upstream) ? message : `${upstream}: ${message}`, { cause });
    this.remedy = remedy;
  }
}
