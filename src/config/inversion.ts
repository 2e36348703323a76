import type { KeyFinding } from './key-path.ts';
import type { RouteConfig } from './schema.ts';

interface Mapping {
  upstream: string;
  /** Index of the route. */
  route: number;
  routePrefix: string;
  upstreamPrefix: string;
  registry: string | undefined;
  path: (string | number)[];
}

/**
 * Pairs of routes by which two different client names become one name on an upstream: then the way back (catalogs, challenges) would be
 * ambiguous, and one push could overwrite another's image.
 *
 * With uB = uA + d, client names rA + d + x and rB + x meet, unless they are the same (rA + d = rB) or the first always takes a more
 * specific route.
 */
export function findCollisions(routes: readonly RouteConfig[]): KeyFinding[] {
  const mappings = routes.flatMap(mappingsOf);
  const findings: KeyFinding[] = [];
  for (const [index, a] of mappings.entries()) {
    for (const b of mappings.slice(index + 1)) {
      if (a.upstream !== b.upstream || a.registry !== b.registry || a.route === b.route) continue;
      if (collide(a, b, routes) || collide(b, a, routes)) findings.push(finding(a, b));
    }
  }
  return findings;
}

function mappingsOf(route: RouteConfig, index: number): Mapping[] {
  const shared = { route: index, routePrefix: route.prefix, registry: route.registry };
  const mappings = route.pull.map((entry, position) => ({
    ...shared,
    upstream: entry.upstream,
    upstreamPrefix: entry.prefix ?? route.prefix,
    path: ['routes', index, 'pull', position],
  }));
  if (route.push === undefined || mappings.some((one) => one.upstream === route.push)) return mappings;
  return [
    ...mappings,
    { ...shared, upstream: route.push, upstreamPrefix: route.prefix, path: ['routes', index, 'push'] },
  ];
}

function collide(a: Mapping, b: Mapping, routes: readonly RouteConfig[]): boolean {
  if (!b.upstreamPrefix.startsWith(a.upstreamPrefix)) return false;
  const inA = a.routePrefix + b.upstreamPrefix.slice(a.upstreamPrefix.length);
  if (inA === b.routePrefix) return false;
  const taken = routes.some(
    (one) => one.registry === a.registry && one.prefix.length > a.routePrefix.length && inA.startsWith(one.prefix),
  );
  return !taken;
}

function finding(a: Mapping, b: Mapping): KeyFinding {
  return {
    path: b.path,
    message: `route "${b.routePrefix}" puts repositories of ${b.upstream} under "${b.upstreamPrefix}", where route "${a.routePrefix}" has its own under "${a.upstreamPrefix}": the prefix cannot be inverted`,
    remedy: 'give each route a prefix of its own on that upstream',
  };
}
