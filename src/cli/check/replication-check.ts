import type { Loaded } from '../../config/load.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { type CopyRoute, configuredCopyRoutes, repositoryPair } from '../../replication/copy-route.ts';
import { configuredRegistry } from '../../replication/registry/configured-registry.ts';
import { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { RetryPolicy } from '../../replication/registry/retry-policy.ts';
import { CredentialSources } from '../../upstream/credentials/credential-sources.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { type CheckFinding, remedyFor } from './reachability.ts';

/** Time for each copy route. */
const TIMEOUT_MS = 15_000;
/** Most repositories that are listed to find one that is copied. */
const MAX_REPOSITORIES = 1000;

/** Lists the source and the target of each copy route with the credentials of copies. Nothing is written. */
export async function checkReplication(loaded: Loaded): Promise<CheckFinding[]> {
  const { routes, copyRoutes } = configuredCopyRoutes(loaded.config.routes);
  const findings = await Promise.all(copyRoutes.map((copyRoute) => checkCopyRoute(loaded, routes, copyRoute)));
  return findings.flat();
}

async function checkCopyRoute(
  { config, material }: Loaded,
  routes: Parameters<typeof repositoryPair>[0],
  copyRoute: CopyRoute,
): Promise<CheckFinding[]> {
  const network = { resolver: new Resolver(), pool: new BufferPool(), sources: new CredentialSources() };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const open = (name: string) => {
    const upstream = config.upstreams[name];
    if (!upstream) throw new Error(`no upstream ${name}`);
    const { connection } = configuredRegistry(
      name,
      upstream.urls[0] ?? '',
      upstream,
      material.upstreams[name] ?? {},
      network,
    );
    // No retries: the check reports the state of this moment.
    return new RemoteRegistry(name, connection, new RetryPolicy({ limitMs: 0 }));
  };
  const [source, target] = [open(copyRoute.source.upstream), open(copyRoute.target.upstream)];
  const subject = `replication ${copyRoute.name}`;
  let asked = source;
  let right = 'let the account list the repositories of';
  try {
    const pair = await firstPair(source, routes, copyRoute, signal);
    if (!pair) {
      const message = `${source.name} lists no repository of this route, so nothing is copied`;
      const remedy = 'check the prefix, and that the account may list the repositories';
      return [{ level: 'warning', subject, message, remedy }];
    }
    asked = target;
    right = 'give the account the right to pull and push at';
    const tags = await target.tags(pair.target, signal);
    const found = tags.length === 0 ? 'which has none of its tags yet' : `which has ${tags.length} of its tags`;
    const message = `${source.name} lists ${pair.source}, for ${pair.target} on ${target.name}, ${found}`;
    return [{ level: 'ok', subject, message }];
  } catch (error) {
    return [{ level: 'error', subject, ...failureOf(error, asked.name, right, config.upstreams[asked.name]) }];
  } finally {
    await Promise.all([source, target].map(({ connection }) => connection.close()));
  }
}

function failureOf(error: unknown, name: string, right: string, upstream: UpstreamConfig | undefined) {
  const reason = error instanceof Error ? error.message : String(error);
  const message = reason.startsWith(name) ? reason : `${name}: ${reason}`;
  const isReached = !(error instanceof UpstreamError) || error.reason === 'credentials';
  const refused = `${right} ${name} (upstreams.${name}.replication.credentials)`;
  return { message, remedy: isReached || !upstream ? refused : remedyFor(error.reason, upstream) };
}

async function firstPair(
  source: RemoteRegistry,
  routes: Parameters<typeof repositoryPair>[0],
  copyRoute: CopyRoute,
  signal: AbortSignal,
) {
  let seen = 0;
  for await (const repository of source.repositories(signal)) {
    const pair = repositoryPair(routes, copyRoute, repository);
    seen += 1;
    if (pair || seen >= MAX_REPOSITORIES) return pair;
  }
  return undefined;
}
