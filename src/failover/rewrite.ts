import type { RouteConfig } from '../config/schema.ts';

/** Where a route's repositories are on one upstream. */
export interface Candidate {
  upstream: string;
  /** What stands there in place of the route's prefix. */
  prefix: string;
  replicate: boolean;
}

/** A route with its defaults resolved; `pull` in order of preference. */
export interface Route {
  prefix: string;
  registry: string | undefined;
  push: Candidate | undefined;
  pull: Candidate[];
  onAbsent: 'stop' | 'next';
  staleTags: 'refuse' | 'warn' | 'serve';
  /** Whether what is deleted on the push upstream is deleted from the upstreams that are kept in step with it. */
  deletions: 'keep' | 'follow';
  /** Networks of `auth.anonymous` may pull here. */
  anonymous: boolean;
}

/** A route of the configuration with the prefixes that it left out. */
export function resolveRoute(config: RouteConfig): Route {
  const pull = config.pull.map((entry) => ({
    upstream: entry.upstream,
    prefix: entry.prefix ?? config.prefix,
    replicate: entry.replicate,
  }));
  const push = config.push === undefined ? undefined : candidateFor(config.push, pull, config.prefix);
  const { prefix, registry, onAbsent, staleTags, deletions, anonymous } = config;
  return { prefix, registry, push, pull, onAbsent, staleTags, deletions, anonymous };
}

function candidateFor(upstream: string, pull: Candidate[], prefix: string): Candidate {
  return pull.find((candidate) => candidate.upstream === upstream) ?? { upstream, prefix, replicate: false };
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

/** The client's name of an upstream repository by this route, or undefined where the route does not show it. */
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

/** Whether the route has an upstream that is kept in step. */
export function isCopied({ pull }: Pick<Route, 'pull'>): boolean {
  return pull.some(({ replicate }) => replicate);
}
