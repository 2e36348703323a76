import type { RouteConfig } from '../config/schema.ts';
import { type Candidate, type Route, resolveRoute, toClient, toUpstream } from '../failover/rewrite.ts';

/** One repository on two registries, in the names of each. */
export interface RepositoryPair {
  source: string;
  target: string;
}

/** From where to where a route's repositories are copied. */
export interface CopyRoute {
  /** Tells it from the others, for people too: `library/ on harbor -> gcr`. */
  name: string;
  route: Route;
  source: Candidate;
  target: Candidate;
}

/** Every way that the routes say images are to be copied. */
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

/** The same of a configuration that is not at work. */
export function configuredCopyRoutes(configured: readonly RouteConfig[]): { routes: Route[]; copyRoutes: CopyRoute[] } {
  const routes = configured.map(resolveRoute);
  return { routes, copyRoutes: copyRoutes(routes) };
}

/** Where a repository of the source goes; undefined: this route does not show it. */
export function repositoryPair(
  routes: readonly Route[],
  { route, source, target }: CopyRoute,
  repository: string,
): RepositoryPair | undefined {
  const name = toClient(routes, route, source, repository);
  return name === undefined ? undefined : { source: repository, target: toUpstream(route, target, name) };
}

/** Name of the repository as clients have it. */
export function clientRepository(routes: readonly Route[], { route, source }: CopyRoute, repository: string): string {
  return toClient(routes, route, source, repository) ?? repository;
}
