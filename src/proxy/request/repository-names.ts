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
  return route && candidate ? toUpstream(route, candidate, repository) : undefined;
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

function candidateOf(route: Route, upstream: string): Route['push'] {
  return (
    route.pull.find((candidate) => candidate.upstream === upstream) ??
    (route.push?.upstream === upstream ? route.push : undefined)
  );
}
