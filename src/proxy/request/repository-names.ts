import type { DelegatedRepositoryKey } from '../../auth/repository-key.ts';
import { findRoute, type Route, toClient, toUpstream } from '../../failover/rewrite.ts';
import type { Uses } from '../proxy-context.ts';

/** The upstream's name for a client's repository. Undefined if it cannot be read from that upstream. */
export function nameOnUpstream(
  context: Uses<'routes'>,
  registry: string | undefined,
  upstream: string,
  repository: string,
): string | undefined {
  const route = findRoute(context.routes, registry, repository);
  const candidate = route && candidateOf(route, upstream);
  return candidate && toUpstream(route, candidate, repository);
}

/** The client's name for an upstream's repository. */
export function nameForClient(
  context: Uses<'routes'>,
  registry: string | undefined,
  upstream: string,
  repository: string,
): string | undefined {
  for (const route of context.routes) {
    if (route.registry !== registry) continue;
    const candidate = candidateOf(route, upstream);
    const name = candidate && toClient(context.routes, route, candidate, repository);
    if (name !== undefined) return name;
  }
  return undefined;
}

/**
 * A repository as its route knows it. Where no route leads there, no rule can open it.
 * @param authority the upstream that decides, if one does
 */
export function repositoryKeyOf(
  routes: readonly Route[],
  authority: string | undefined,
  registry: string | undefined,
  repository: string,
): DelegatedRepositoryKey {
  const route = findRoute(routes, registry, repository);
  const candidate = route && candidateOf(route, authority);
  const authorityName = candidate && toUpstream(route, candidate, repository);
  return {
    name: registry === undefined ? repository : `${registry}/${repository}`,
    tokenName: authorityName ?? `${registry ?? ''}//${repository}`,
    anonymous: route?.anonymous ?? false,
    authorityName,
  };
}

function candidateOf({ pull, push }: Route, upstream: string | undefined): Route['push'] {
  return [...pull, push].find((candidate) => candidate?.upstream === upstream);
}
