import type { RouteConfig } from '../config/schema.ts';
import { type Candidate, type Route, resolveRoute, toClient, toUpstream } from '../failover/rewrite.ts';

/** One repository by its name on each of two registries. */
export interface RepositoryPair {
  source: string;
  target: string;
}

/** The source and the target of the copies of one route. */
export interface CopyRoute {
  /** Unique, and readable: `library/ on harbor -> gcr`. */
  name: string;
  route: Route;
  source: Candidate;
  target: Candidate;
}

/** All pairs of source and target that the routes ask copies for. */
export function copyRoutes(routes: readonly Route[]): CopyRoute[] {
  return routes.flatMap((route) => {
    const { push: source } = route;
    if (!source) return [];
    const targets = route.pull.filter(({ upstream, replicate }) => replicate && upstream !== source.upstream);
    const shown = `${route.registry === undefined ? '' : `${route.registry}/`}${route.prefix || 'everything else'}`;
    return targets.map((target) => ({
      name: `${shown} on ${source.upstream} -> ${target.upstream}`,
      route,
      source,
      target,
    }));
  });
}

/** The same for a configuration that is not running. */
export function configuredCopyRoutes(configured: readonly RouteConfig[]): { routes: Route[]; copyRoutes: CopyRoute[] } {
  const routes = configured.map(resolveRoute);
  return { routes, copyRoutes: copyRoutes(routes) };
}

/** The names of a repository of the source; undefined: this route does not show the repository. */
export function repositoryPair(
  routes: readonly Route[],
  { route, source, target }: CopyRoute,
  repository: string,
): RepositoryPair | undefined {
  const name = toClient(routes, route, source, repository);
  return name === undefined ? undefined : { source: repository, target: toUpstream(route, target, name) };
}

/** The repository's name as clients use it. */
export function clientRepository(routes: readonly Route[], { route, source }: CopyRoute, repository: string): string {
  return toClient(routes, route, source, repository) ?? repository;
}
