import type { Action } from '../config/access-rule.ts';
import { isBreakGlassName } from '../config/htpasswd.ts';
import type { AuthorityFingerprint } from './authority-fingerprint.ts';
import type { AccessPolicy } from './guard.ts';
import type { LocalAuthority } from './local-authority.ts';
import type { RepositoryKey } from './repository-key.ts';

export interface DelegatedAccessPolicyOptions {
  authority: AuthorityFingerprint;
  /** Break-glass users; undefined: there are none. */
  breakGlass: LocalAuthority | undefined;
  /** Whether the authority cannot say anything now, as far as is known. */
  isUnreachable: () => boolean;
}

/**
 * `auth.mode: delegate`, at each request. What a token of the authority's users opens was the authority's to say when it was made; it
 * says so again at each request that reaches it. A break-glass user is somebody only while the authority cannot be asked.
 */
export class DelegatedAccessPolicy implements AccessPolicy {
  readonly #options: DelegatedAccessPolicyOptions;

  constructor(options: DelegatedAccessPolicyOptions) {
    this.#options = options;
  }

  acceptsBasis(user: string, basis: string): boolean {
    const { authority, breakGlass, isUnreachable } = this.#options;
    if (!breakGlass || !isBreakGlassName(user)) return authority.matches(basis);
    return isUnreachable() && breakGlassBasis(breakGlass, user) === basis;
  }

  allows(user: string, key: RepositoryKey, action: Action): boolean {
    const { breakGlass } = this.#options;
    if (!breakGlass || !isBreakGlassName(user)) return true;
    return action === 'pull' && breakGlass.allows(user, key, action);
  }
}

/** Nothing else may stand on it: a user of the authority's could have had that name before the file was there. */
export function breakGlassBasis(users: LocalAuthority, user: string): string | undefined {
  const basis = users.basis(user);
  return basis === undefined ? undefined : `break-glass ${basis}`;
}
