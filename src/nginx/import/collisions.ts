import { findCollisions } from '../../config/inversion.ts';
import type { RouteConfig } from '../../config/schema.ts';
import type { PlannedConfig, PlannedRoute } from './planned-config.ts';

/**
 * Gives routes an upstream entry of their own where two names of clients would mean one name on an upstream: nginx never has to find the way
 * back from there, and Breakwater does. The registry is the same.
 */
export function separateCollisions(config: PlannedConfig): void {
  // Each turn takes one route away from an upstream.
  for (let turns = config.routes.length; turns > 0; turns--) {
    const [collision] = findCollisions(config.routes as RouteConfig[]);
    const index = Number(collision?.path[1]);
    const route = config.routes[index];
    if (!collision || !route) return;
    const position = Number(collision.path[3]);
    const from = collision.path[2] === 'push' ? route.push : route.pull[position]?.upstream;
    const upstream = from === undefined ? undefined : config.upstreams[from];
    if (from === undefined || upstream === undefined) return;
    const twins = Object.keys(config.upstreams).filter((name) => name !== from && config.upstreams[name] === upstream);
    const free = newName(config, from);
    config.upstreams[free] = upstream;
    for (const name of [...twins, free]) {
      config.routes[index] = moved(route, from, name);
      const collides = findCollisions(config.routes as RouteConfig[]).some(({ path }) => Number(path[1]) === index);
      if (collides) continue;
      if (name !== free) delete config.upstreams[free];
      break;
    }
  }
}

function moved(route: PlannedRoute, from: string, to: string): PlannedRoute {
  const pull = route.pull.map((entry) => (entry.upstream === from ? { ...entry, upstream: to } : entry));
  return { ...route, ...(route.push === from ? { push: to } : {}), pull };
}

function newName({ upstreams }: PlannedConfig, from: string): string {
  for (let number = 2; ; number++) {
    const name = `${from.slice(0, 26)}-${number}`;
    if (upstreams[name] === undefined) return name;
  }
}
