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
  /** Whether the authority is known to be unreachable now. */
  isUnreachable: () => boolean;
}

/**
 * The policy of `auth.mode: delegate` for each request. The authority decides about its users when it issues a token, and again at each
 * request that reaches it. A break-glass user is valid only while the authority cannot be reached.
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

/** The prefix keeps this basis apart: a user of the authority may have had the same name before the break-glass file existed. */
export function breakGlassBasis(users: LocalAuthority, user: string): string | undefined {
  const basis = users.passwords.basis(user);
  return basis === undefined ? undefined : `break-glass ${basis}`;
}
