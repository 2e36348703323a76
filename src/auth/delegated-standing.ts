import type { Action } from '../config/access-rule.ts';
import { isBreakGlassName } from '../config/htpasswd.ts';
import type { AuthorityMark } from './authority-mark.ts';
import type { Standing } from './guard.ts';
import type { LocalAuthority } from './local-authority.ts';
import type { Place } from './place.ts';

export interface DelegatedStandingOptions {
  authority: AuthorityMark;
  /** Break-glass users; undefined: there are none. */
  breakGlass: LocalAuthority | undefined;
  /** Whether the authority cannot say anything now, as far as is known. */
  silent: () => boolean;
}

/**
 * `auth.mode: delegate`, at each request. What a token of the authority's users opens was the authority's to say when it was made; it
 * says so again at each request that reaches it. A break-glass user is somebody only while the authority cannot be asked.
 */
export class DelegatedStanding implements Standing {
  readonly #options: DelegatedStandingOptions;

  constructor(options: DelegatedStandingOptions) {
    this.#options = options;
  }

  stands(user: string, basis: string): boolean {
    const { authority, breakGlass, silent } = this.#options;
    if (!breakGlass || !isBreakGlassName(user)) return authority.fits(basis);
    return silent() && breakGlassBasis(breakGlass, user) === basis;
  }

  may(user: string, place: Place, action: Action): boolean {
    const { breakGlass } = this.#options;
    if (!breakGlass || !isBreakGlassName(user)) return true;
    return action === 'pull' && breakGlass.may(user, place, action);
  }
}

/** Nothing else may stand on it: a user of the authority's could have had that name before the file was there. */
export function breakGlassBasis(users: LocalAuthority, user: string): string | undefined {
  const basis = users.basis(user);
  return basis === undefined ? undefined : `break-glass ${basis}`;
}
