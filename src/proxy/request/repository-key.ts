import type { DelegatedPlace } from '../../auth/place.ts';
import { type Route, toUpstream } from '../../failover/rewrite.ts';

/**
 * A repository as its route knows it.
 * @param route none: no route leads there, and no rule can open it
 * @param authority upstream that decides, if one does
 */
export function placeOf(
  registry: string | undefined,
  repository: string,
  route: Route | undefined,
  authority: string | undefined,
): DelegatedPlace {
  const candidate = route && [route.push ?? [], ...route.pull].flat().find(({ upstream }) => upstream === authority);
  const onAuthority = candidate && toUpstream(route, candidate, repository);
  return {
    name: registry === undefined ? repository : `${registry}/${repository}`,
    key: onAuthority === undefined ? `${registry ?? ''}//${repository}` : onAuthority,
    anonymous: route?.anonymous ?? false,
    onAuthority,
  };
}
