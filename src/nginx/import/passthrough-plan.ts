import type { Target } from '../model/passage.ts';
import type { Location } from '../model/site.ts';
import { trial, type Visit } from './route-plan.ts';

/** Paths that registries have beside the registry API: web pages, the API of Harbor, token services. */
const PATHS = ['/', '/service/token', '/api/v2.0/ping', '/jwt/auth'];

/** The upstream that gets paths outside the registry API, or undefined for none. */
export function passthroughOf(visit: Visit): string | undefined {
  const own = visit.server.locations.flatMap(literalPaths);
  const targets: { path: string; target: Target }[] = [];
  for (const path of new Set([...PATHS, ...own])) {
    const passage = trial(visit, 'GET', path);
    if (passage.kind !== 'proxy' || !passage.targets[0]) continue;
    targets.push({ path, target: passage.targets[0] });
  }
  const isNamed = ({ host, scheme }: Target, name: string) =>
    visit.upstreams.upstreams[name]?.urls.includes(`${scheme}://${host}`) === true;
  const names = Object.keys(visit.upstreams.upstreams);
  const known = targets.flatMap(({ target }) => names.find((name) => isNamed(target, name)) ?? []);
  const [name] = known;
  if (name === undefined && !targets.some(({ path }) => path === '/')) return undefined;
  const chosen =
    name ??
    visit.upstreams.nameOf(
      {
        scheme: targets[0]?.target.scheme ?? 'http',
        hosts: [targets[0]?.target.host ?? ''],
        base: '',
        target: targets[0]?.target as Target,
      },
      { isFirst: false, hasUsers: true },
    );
  for (const { path, target } of targets) {
    if (isNamed(target, chosen) && target.path === path)
      visit.notes.record(target.by, 'taken', `Paths outside the registry API go to ${chosen} (passthrough).`);
    else
      visit.notes.record(
        target.by,
        'cannot',
        `${path} goes to ${target.host}${target.path === path ? '' : target.path}, and other paths outside the registry API to ${chosen}. Breakwater has one passthrough: put it before the proxy of the registry, not in its place.`,
        true,
      );
  }
  return chosen;
}

function literalPaths({ modifier, path, locations }: Location): string[] {
  const own = ['', '=', '^~'].includes(modifier) && path.startsWith('/') && !/^\/v[12](\/|$)/.test(path) ? [path] : [];
  return [...own, ...locations.flatMap(literalPaths)];
}
