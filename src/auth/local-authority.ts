import type { Action } from '../config/access-rule.ts';
import type { AccessRules } from './access-rules.ts';
import type { AccessPolicy } from './guard.ts';
import type { Passwords } from './passwords.ts';
import type { RepositoryKey } from './repository-key.ts';

/** `auth.mode: htpasswd`: users and rules of the configuration itself. */
export class LocalAuthority implements AccessPolicy {
  readonly #passwords: Passwords;
  readonly #rules: AccessRules;

  constructor(passwords: Passwords, rules: AccessRules) {
    this.#passwords = passwords;
    this.#rules = rules;
  }

  /** Whether the password was verified a short while ago, so that no hash has to be computed. */
  isRecentlyVerified(user: string, password: string): boolean {
    return this.#passwords.isRecentlyVerified(user, password);
  }

  authenticate(user: string, password: string): Promise<boolean> {
    return this.#passwords.verify(user, password);
  }

  /** Changes with the user's password; undefined: no such user. */
  basis(user: string): string | undefined {
    return this.#passwords.basis(user);
  }

  acceptsBasis(user: string, basis: string): boolean {
    return this.basis(user) === basis;
  }

  allows(user: string, key: RepositoryKey, action: Action): boolean {
    return this.#rules.allows(user, key.name, action);
  }
}
