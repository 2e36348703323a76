import type { Action } from '../config/access-rule.ts';
import type { AccessRules } from './access-rules.ts';
import type { Standing } from './guard.ts';
import type { Passwords } from './passwords.ts';
import type { Place } from './place.ts';

/** `auth.mode: htpasswd`: the configuration itself says who there is and what they may do. */
export class LocalAuthority implements Standing {
  readonly #passwords: Passwords;
  readonly #rules: AccessRules;

  constructor(passwords: Passwords, rules: AccessRules) {
    this.#passwords = passwords;
    this.#rules = rules;
  }

  /** Whether this is known to be right without computing anything. */
  remembers(user: string, password: string): boolean {
    return this.#passwords.remembers(user, password);
  }

  authenticate(user: string, password: string): Promise<boolean> {
    return this.#passwords.check(user, password);
  }

  /** What tokens of the user stand on: the password; undefined: no such user. */
  basis(user: string): string | undefined {
    return this.#passwords.basis(user);
  }

  stands(user: string, basis: string): boolean {
    return this.basis(user) === basis;
  }

  may(user: string, place: Place, action: Action): boolean {
    return this.#rules.allows(user, place.name, action);
  }
}
