import { ACTIONS } from '../config/access-rule.ts';
import { isRepository } from '../oci/reference.ts';
import type { Scope } from '../oci/scope.ts';
import type { DelegatedRepositoryKey } from './repository-key.ts';

/** One requested scope for one repository. */
export interface RequestedScope {
  repositoryKey: DelegatedRepositoryKey;
  /** The scope as the client wrote it. */
  scope: Scope;
  authorityScope: Scope;
}

/**
 * The part of a token request that the authority decides.
 * @param repositoryKeys all repositories of this name that a route leads to, one for each registry
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
    // The name becomes part of a path at the authority.
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
