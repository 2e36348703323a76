import { parseScope, type Scope } from '../../src/oci/scope.ts';

export interface AuthorityUser {
  password: string;
  /** Beginnings of repository names -> actions. */
  may: Record<string, readonly string[]>;
}

/** Who an authority of the tests knows, and what they may do. May be changed while it runs. */
export type AuthorityUsers = Record<string, AuthorityUser>;

/** The user of an Authorization; undefined where the password is wrong. @param byPassword the name does not matter */
export function userOf(users: AuthorityUsers, authorization: string | undefined): string | undefined {
  const [scheme, encoded = ''] = (authorization ?? '').split(' ');
  if (scheme?.toLowerCase() !== 'basic') return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  const [name, password] = [text.slice(0, Math.max(0, colon)), text.slice(colon + 1)];
  const found = Object.hasOwn(users, name) ? users[name] : undefined;
  return found?.password === password ? name : undefined;
}

/** What a user may do of what is asked. @param scopes as they came, one or several in each */
export function allowed(users: AuthorityUsers, user: string, scopes: readonly string[]): Scope[] {
  return scopes
    .flatMap((text) => text.split(' '))
    .flatMap((text) => {
      const scope = parseScope(text);
      const may = Object.entries(users[user]?.may ?? {}).find(([prefix]) => scope?.name.startsWith(prefix))?.[1] ?? [];
      const actions = scope?.actions.filter((action) => may.includes(action)) ?? [];
      return scope && actions.length > 0 ? [{ ...scope, actions }] : [];
    });
}
