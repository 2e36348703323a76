import type { IncomingMessage } from 'node:http';

/** name -> password, and the prefixes that the user may read (undefined: all, and write). */
export interface RegistryUser {
  password: string;
  reads?: readonly string[];
}

/** `bearer`: Docker's tokens, as JWTs. `basic`: what a user may not see is answered with 404. */
export type Scheme = 'basic' | 'bearer';

interface Claims {
  sub: string;
  access: { type: string; name: string; actions: string[] }[];
}

/** Users of a scripted registry, and what each may do. */
export class RegistryUsers {
  readonly scheme: Scheme;
  readonly #users: Record<string, RegistryUser>;

  constructor(scheme: Scheme, users: Record<string, RegistryUser>) {
    this.scheme = scheme;
    this.#users = users;
  }

  /** Whether a user may do this with a repository. */
  may(user: string, repository: string, action: 'pull' | 'push' | 'delete'): boolean {
    const known = this.#users[user];
    if (!known) return false;
    return (
      known.reads === undefined || (action === 'pull' && known.reads.some((prefix) => repository.startsWith(prefix)))
    );
  }

  /** The user of a request; undefined: none, or a wrong password. */
  userOf({ headers: { authorization = '' } }: IncomingMessage): string | undefined {
    const [scheme = '', value = ''] = authorization.split(' ');
    if (/^basic$/i.test(scheme)) return this.#byPassword(value);
    return this.#claims(value)?.sub;
  }

  /** Whether the request itself allows this: a token only within its scopes. */
  allows(request: IncomingMessage, repository: string, action: 'pull' | 'push' | 'delete'): boolean {
    const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ');
    if (/^basic$/i.test(scheme)) return this.may(this.#byPassword(value) ?? '', repository, action);
    return (this.#claims(value)?.access ?? []).some(
      ({ name, actions }) => name === repository && actions.includes(action),
    );
  }

  /** The answer of the token service. Undefined: a wrong password. */
  token(request: IncomingMessage, scopes: readonly string[]): object | undefined {
    const user = this.userOf(request);
    if (user === undefined) return undefined;
    const access = scopes.flatMap((scope) => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      if (type !== 'repository') return [{ type, name, actions: this.#users[user]?.reads ? [] : ['*'] }];
      const may = actions.split(',').filter((action) => this.may(user, name, action as 'pull'));
      return may.length > 0 ? [{ type, name, actions: may }] : [];
    });
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return { token: `${part({ alg: 'none' })}.${part({ sub: user, access })}.x`, expires_in: 300 };
  }

  #byPassword(basic: string): string | undefined {
    const [user = '', password] = Buffer.from(basic, 'base64').toString().split(':');
    return this.#users[user]?.password === password ? user : undefined;
  }

  #claims(token: string): Claims | undefined {
    try {
      return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    } catch {
      return undefined;
    }
  }
}
