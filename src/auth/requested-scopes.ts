import { ACTIONS } from '../config/access-rule.ts';
import { isRepository } from '../oci/reference.ts';
import type { Scope } from '../oci/scope.ts';
import type { DelegatedRepositoryKey } from './repository-key.ts';

/** One thing that is asked for, at one place. */
export interface RequestedScope {
  repositoryKey: DelegatedRepositoryKey;
  /** As the client asked. */
  scope: Scope;
  authorityScope: Scope;
}

/**
 * What of a token request the authority has a say in, place by place.
 * @param repositoryKeys every registry's repository of that name that a route leads to
 */
export function requestedScopes(
  scopes: readonly Scope[],
  repositoryKeys: (repository: string) => readonly DelegatedRepositoryKey[],
): RequestedScope[] {
  return scopes.flatMap((scope): RequestedScope[] => {
    const { name } = scope;
    if (scope.type === 'registry' && name === 'catalog')
      return [
        {
          repositoryKey: { name, tokenName: name, anonymous: false, authorityName: name },
          scope,
          authorityScope: scope,
        },
      ];
    // The name becomes part of a path there.
    if (scope.type !== 'repository' || !isRepository(name)) return [];
    const asked = ACTIONS.filter((action) => scope.actions.includes(action) || scope.actions.includes('*'));
    return repositoryKeys(name).flatMap((repositoryKey) => {
      const there = repositoryKey.authorityName;
      return there === undefined
        ? []
        : [{ repositoryKey, scope, authorityScope: { type: scope.type, name: there, actions: asked } }];
    });
  });
}
