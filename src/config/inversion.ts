import type { KeyFinding, KeyPath } from './key-path.ts';
import type { RouteConfig } from './schema.ts';

interface Mapping {
  upstream: string;
  /** Index of the route. */
  route: number;
  routePrefix: string;
  upstreamPrefix: string;
  registry: string | undefined;
  path: KeyPath;
}

/**
 * Pairs of routes that map two different client names to one name on an upstream. The way back (catalogs, challenges) would be ambiguous,
 * and one push could overwrite another's image.
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
      const inA = collidingPrefix(a, b, routes);
      const inB = inA === undefined ? collidingPrefix(b, a, routes) : undefined;
      if (inA !== undefined) findings.push(collisionFinding(a, inA, b, b.routePrefix));
      else if (inB !== undefined) findings.push(collisionFinding(a, a.routePrefix, b, inB));
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

/** The client prefix of A whose names are names of B on the upstream; undefined: there is none. */
function collidingPrefix(a: Mapping, b: Mapping, routes: readonly RouteConfig[]): string | undefined {
  if (!b.upstreamPrefix.startsWith(a.upstreamPrefix)) return undefined;
  const inA = a.routePrefix + b.upstreamPrefix.slice(a.upstreamPrefix.length);
  if (inA === b.routePrefix) return undefined;
  const taken = routes.some(
    (one) => one.registry === a.registry && one.prefix.length > a.routePrefix.length && inA.startsWith(one.prefix),
  );
  return taken ? undefined : inA;
}

/** @param inA, inB client prefixes by which the two routes reach the same upstream names */
function collisionFinding(a: Mapping, inA: string, b: Mapping, inB: string): KeyFinding {
  const place = a.upstreamPrefix.length > b.upstreamPrefix.length ? a.upstreamPrefix : b.upstreamPrefix;
  return {
    path: b.path,
    message: `the prefix is ambiguous: "${inB}NAME" of routes[${b.route}] ("${b.routePrefix}") and "${inA}NAME" of routes[${a.route}] ("${a.routePrefix}") would both be "${place}NAME" on ${b.upstream}`,
    remedy: 'give each route a prefix of its own on that upstream',
  };
}
