import type { Action } from '../config/access-rule.ts';
import type { AccessRules } from './access-rules.ts';
import type { AccessPolicy } from './guard.ts';
import type { Passwords } from './passwords.ts';
import type { RepositoryKey } from './repository-key.ts';

/** `auth.mode: htpasswd`: users and rules of the configuration itself. */
export class LocalAuthority implements AccessPolicy {
  readonly passwords: Passwords;
  readonly #rules: AccessRules;

  constructor(passwords: Passwords, rules: AccessRules) {
    this.passwords = passwords;
    this.#rules = rules;
  }

  acceptsBasis(user: string, basis: string): boolean {
    return this.passwords.basis(user) === basis;
  }

  allows(user: string, key: RepositoryKey, action: Action): boolean {
    return this.#rules.allows(user, key.name, action);
  }
}
