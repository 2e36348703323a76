import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { formatChallenge } from '../oci/challenge.ts';
import { formatScope, parseScope, type Scope } from '../oci/scope.ts';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';

export interface LabUser {
  username: string;
  password: string;
  /** Repositories, or prefixes that end in a slash. Default: all, and the catalog. */
  repositories?: string[];
  /** Default: all. */
  actions?: ('pull' | 'push' | 'delete')[];
}

/** Who may use a registry of the lab, and how they say so. */
export interface LabAuth {
  scheme: 'basic' | 'bearer';
  users: LabUser[];
  /** Bearer: repositories (or prefixes) that anyone may pull with a token that was given to nobody. */
  anonymous?: string[];
  /** Bearer: URL of the token service. Default: this registry's own, under the name by which it was asked. */
  realm?: string;
  /** Bearer: default `lab`. */
  service?: string;
  /** Bearer: lifetime of a token in seconds. Default 300. */
  expiresIn?: number;
  /** Bearer: Basic is taken too, as Harbor does. */
  basicToo?: boolean;
  /** Bearer: path of the token service. Default `/token`. */
  tokenPath?: string;
}

interface Token {
  scopes: Scope[];
  /** Epoch milliseconds. */
  expiresAt: number;
}

const MAX_TOKENS = 10_000;

/** Checks the credentials of requests and hands out opaque tokens. */
export class Access {
  readonly #auth: LabAuth | undefined;
  readonly #tokens = new Map<string, Token>();

  constructor(auth: LabAuth | undefined) {
    this.#auth = auth;
  }

  get tokenPath(): string | undefined {
    return this.#auth?.scheme === 'bearer' ? (this.#auth.tokenPath ?? '/token') : undefined;
  }

  /**
   * Whether the request may do this; `undefined` asks only who it is.
   * @throws LabError 401 with a challenge, or 403
   */
  demand(exchange: Exchange, wanted: Scope | undefined): void {
    const refusal = this.#refusal(exchange, wanted);
    if (refusal) throw refusal;
  }

  /** The same as a question. */
  allows(exchange: Exchange, wanted: Scope): boolean {
    return this.#refusal(exchange, wanted) === undefined;
  }

  #refusal(exchange: Exchange, wanted: Scope | undefined): LabError | undefined {
    const auth = this.#auth;
    if (!auth) return undefined;
    const [scheme = '', value = ''] = (exchange.req.headers.authorization ?? '').split(' ');
    if (scheme.toLowerCase() === 'basic' && (auth.scheme === 'basic' || auth.basicToo)) {
      const user = this.#user(value);
      if (!user) return this.#challenge(exchange, wanted);
      if (!wanted || covers(wanted, permitted(user, wanted))) return undefined;
      return new LabError(403, 'DENIED', 'requested access to the resource is denied');
    }
    if (scheme.toLowerCase() !== 'bearer' || auth.scheme !== 'bearer') return this.#challenge(exchange, wanted);
    const token = this.#tokens.get(value);
    if (!token || token.expiresAt <= performance.now()) return this.#challenge(exchange, wanted, 'invalid_token');
    if (wanted && !covers(wanted, token.scopes)) return this.#challenge(exchange, wanted, 'insufficient_scope');
    return undefined;
  }

  /** Whether the request names a user by Basic; true where there are no users. */
  isUser(exchange: Exchange): boolean {
    if (!this.#auth) return true;
    const [scheme = '', value = ''] = (exchange.req.headers.authorization ?? '').split(' ');
    return scheme.toLowerCase() === 'basic' && this.#user(value) !== undefined;
  }

  /** GET of the token service: grants what is permitted of what is asked, which may be nothing. */
  issue(exchange: Exchange): void {
    const { authorization } = exchange.req.headers;
    if (exchange.req.method !== 'GET') throw new LabError(405, 'UNSUPPORTED', 'GET only', { allow: 'GET' });
    const user = authorization === undefined ? undefined : this.#user(authorization.replace(/^basic /i, ''));
    if (authorization !== undefined && !user) throw new LabError(401, 'UNAUTHORIZED', 'unknown user or wrong password');
    const asked = exchange.query
      .getAll('scope')
      .flatMap((text) => text.split(' ').flatMap((one) => parseScope(one) ?? []));
    const scopes = asked.flatMap((scope) => (user ? permitted(user, scope) : this.#anonymous(scope)));
    const seconds = this.#auth?.expiresIn ?? 300;
    const value = randomBytes(24).toString('base64url');
    const oldest = this.#tokens.keys().next().value;
    if (oldest !== undefined && this.#tokens.size >= MAX_TOKENS) this.#tokens.delete(oldest);
    this.#tokens.set(value, { scopes, expiresAt: performance.now() + seconds * 1000 });
    const issued_at = new Date().toISOString();
    exchange.json(200, { token: value, access_token: value, expires_in: seconds, issued_at });
  }

  #anonymous(scope: Scope): Scope[] {
    const open = scope.type === 'repository' && within(scope.name, this.#auth?.anonymous ?? []);
    return open && scope.actions.includes('pull') ? [{ ...scope, actions: ['pull'] }] : [];
  }

  #user(basic: string): LabUser | undefined {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    const named = this.#auth?.users.find(({ username }) => username === text.slice(0, colon));
    return named && colon >= 0 && same(named.password, text.slice(colon + 1)) ? named : undefined;
  }

  #challenge(exchange: Exchange, wanted: Scope | undefined, error?: string): LabError {
    const parameters: Record<string, string> = { realm: 'lab' };
    if (this.#auth?.scheme === 'bearer') {
      parameters.realm = this.#auth.realm ?? `${exchange.base()}${this.tokenPath}`;
      parameters.service = this.#auth.service ?? 'lab';
      if (wanted) parameters.scope = formatScope(wanted);
      if (error) parameters.error = error;
    }
    const challenge = formatChallenge({ scheme: this.#auth?.scheme ?? 'basic', parameters });
    return new LabError(401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': challenge });
  }
}

function same(one: string, other: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(one), hash(other));
}

function within(repository: string, list: string[]): boolean {
  return list.some((entry) => (entry.endsWith('/') ? repository.startsWith(entry) : repository === entry));
}

/** What of a scope this user may have: nothing, or the scope with fewer actions. */
function permitted(user: LabUser, scope: Scope): Scope[] {
  if (scope.type !== 'repository') return user.repositories ? [] : [scope];
  if (user.repositories && !within(scope.name, user.repositories)) return [];
  const may: readonly string[] = user.actions ?? scope.actions;
  const actions = scope.actions.filter((action) => may.includes(action));
  return actions.length > 0 ? [{ ...scope, actions }] : [];
}

/** Whether every action wanted is granted by one of the scopes of the same resource. */
function covers({ type, name, actions }: Scope, granted: Scope[]): boolean {
  const own = granted.filter((scope) => scope.type === type && scope.name === name).flatMap((scope) => scope.actions);
  return actions.every((action) => own.includes(action) || own.includes('*'));
}
