import { ACTIONS } from '../config/access-rule.ts';
import { isRepository } from '../oci/reference.ts';
import type { Scope } from '../oci/scope.ts';
import type { DelegatedPlace } from './place.ts';

/** One thing that is asked for, at one place. */
export interface Wanted {
  place: DelegatedPlace;
  /** As the client asked. */
  scope: Scope;
  onAuthority: Scope;
}

/**
 * What of a token request the authority has a say in, place by place.
 * @param places every registry's repository of that name that a route leads to
 */
export function wantedOf(
  scopes: readonly Scope[],
  places: (repository: string) => readonly DelegatedPlace[],
): Wanted[] {
  return scopes.flatMap((scope): Wanted[] => {
    const { name } = scope;
    if (scope.type === 'registry' && name === 'catalog')
      return [{ place: { name, key: name, anonymous: false, onAuthority: name }, scope, onAuthority: scope }];
    // The name becomes part of a path there.
    if (scope.type !== 'repository' || !isRepository(name)) return [];
    const asked = ACTIONS.filter((action) => scope.actions.includes(action) || scope.actions.includes('*'));
    return places(name).flatMap((place) => {
      const there = place.onAuthority;
      return there === undefined
        ? []
        : [{ place, scope, onAuthority: { type: scope.type, name: there, actions: asked } }];
    });
  });
}
