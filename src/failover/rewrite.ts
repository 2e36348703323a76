import type { RouteConfig } from '../config/schema.ts';

/** One upstream of a route, with the prefix there. */
export interface Candidate {
  upstream: string;
  /** Replaces the route's prefix at the upstream. */
  prefix: string;
  replicate: boolean;
}

/** A route with its defaults resolved; `pull` in order of preference. */
export interface Route extends Omit<RouteConfig, 'push' | 'pull'> {
  push: Candidate | undefined;
  pull: Candidate[];
}

/** Fills in the prefixes that the configuration leaves out. */
export function resolveRoute(config: RouteConfig): Route {
  const { prefix } = config;
  const pull = config.pull.map((entry) => ({ ...entry, prefix: entry.prefix ?? prefix }));
  const push = pull.find(({ upstream }) => upstream === config.push);
  if (push || config.push === undefined) return { ...config, push, pull };
  return { ...config, push: { upstream: config.push, prefix, replicate: false }, pull };
}

/** The route of a repository: the longest prefix within its registry (`undefined`: the edge's own names). */
export function findRoute(
  routes: readonly Route[],
  registry: string | undefined,
  repository: string,
): Route | undefined {
  let found: Route | undefined;
  for (const route of routes) {
    if (route.registry !== registry || !repository.startsWith(route.prefix)) continue;
    if (repository.length > route.prefix.length && (!found || route.prefix.length > found.prefix.length)) found = route;
  }
  return found;
}

/** Name of a client's repository on an upstream. `repository` must begin with the route's prefix. */
export function toUpstream(route: Route, candidate: Candidate, repository: string): string {
  return candidate.prefix + repository.slice(route.prefix.length);
}

/** The client's name of an upstream repository; undefined: this route does not show the repository. */
export function toClient(
  routes: readonly Route[],
  route: Route,
  candidate: Candidate,
  repository: string,
): string | undefined {
  if (!repository.startsWith(candidate.prefix) || repository.length === candidate.prefix.length) return undefined;
  const name = route.prefix + repository.slice(candidate.prefix.length);
  return findRoute(routes, route.registry, name) === route ? name : undefined;
}

/** Whether the route has an upstream with `replicate: true`. */
export function isCopied({ pull }: Pick<Route, 'pull'>): boolean {
  return pull.some(({ replicate }) => replicate);
}
