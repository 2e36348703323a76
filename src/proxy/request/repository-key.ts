import type { DelegatedRepositoryKey } from '../../auth/repository-key.ts';
import { type Route, toUpstream } from '../../failover/rewrite.ts';

/**
 * A repository as its route knows it.
 * @param route undefined: no route leads there, and no rule can open the repository
 * @param authority the upstream that decides, if one does
 */
export function repositoryKeyOf(
  registry: string | undefined,
  repository: string,
  route: Route | undefined,
  authority: string | undefined,
): DelegatedRepositoryKey {
  const candidate = route && [route.push ?? [], ...route.pull].flat().find(({ upstream }) => upstream === authority);
  const authorityName = candidate && toUpstream(route, candidate, repository);
  return {
    name: registry === undefined ? repository : `${registry}/${repository}`,
    tokenName: authorityName === undefined ? `${registry ?? ''}//${repository}` : authorityName,
    anonymous: route?.anonymous ?? false,
    authorityName,
  };
}
