import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatChallenge } from '../oci/challenge.ts';
import { formatScope, parseScope, type Scope } from '../oci/scope.ts';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { LabKind } from './fault.ts';
import { LoginLock } from './login-lock.ts';

export interface LabUser {
  username: string;
  password: string;
  /** Repositories, or prefixes that end in a slash. Default: all, and the catalog. */
  repositories?: string[];
  /** Default: all. */
  actions?: ('pull' | 'push' | 'delete')[];
  /** Epoch seconds from which the secret is not accepted any more, as of Harbor's robots; -1 and the default: never. */
  expiresAt?: number;
  /** Harbor: the user may read the list of robots, with their ends. */
  readsRobots?: boolean;
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
  /** Bearer: as Harbor, tokens say what they open and for whom, and a login that is refused gets the token of nobody. */
  asHarbor?: boolean;
  /** Bearer, as Harbor: milliseconds after which a wrong password is refused, and for which its name is locked. Default 1500. */
  lockMs?: number;
}

interface Token {
  scopes: Scope[];
  /** Epoch milliseconds. */
  expiresAt: number;
}

const MAX_TOKENS = 10_000;
const DEFAULT_LOCK_MS = 1500;
const HARBOR_ACTIONS = ['pull', 'push', 'delete'];

/** Checks the credentials of requests and hands out opaque tokens. */
export class Access {
  readonly #auth: LabAuth | undefined;
  readonly #tokens = new Map<string, Token>();
  readonly #lock: LoginLock;

  constructor(auth: LabAuth | undefined) {
    this.#auth = auth;
    this.#lock = new LoginLock(auth?.lockMs ?? DEFAULT_LOCK_MS);
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
    const basicOnly = auth.asHarbor === true && wanted?.type === 'registry';
    if (scheme.toLowerCase() === 'basic' && (auth.scheme === 'basic' || auth.basicToo)) {
      const user = this.#user(value);
      if (user && (!wanted || covers(wanted, permitted(user, wanted)))) return undefined;
      if (basicOnly) return harborChallenge();
      return user
        ? new LabError(403, 'DENIED', 'requested access to the resource is denied')
        : this.#challenge(exchange, wanted);
    }
    // Harbor gives no token for its catalog.
    if (basicOnly) return harborChallenge();
    if (auth.asHarbor && scheme === '' && this.#isOpenGet(exchange, wanted)) return undefined;
    if (scheme.toLowerCase() !== 'bearer' || auth.scheme !== 'bearer') return this.#challenge(exchange, wanted);
    const token = this.#tokens.get(value);
    if (!token || token.expiresAt <= performance.now()) return this.#challenge(exchange, wanted, 'invalid_token');
    if (wanted && !covers(wanted, token.scopes)) return this.#challenge(exchange, wanted, 'insufficient_scope');
    return undefined;
  }

  /** Harbor answers a GET of a public project without a token, and challenges the same as a HEAD. */
  #isOpenGet({ req }: Exchange, wanted: Scope | undefined): boolean {
    if (req.method !== 'GET' || wanted?.type !== 'repository') return false;
    return wanted.actions.join() === 'pull' && this.isPublic(wanted.name);
  }

  /** The user that the request names by Basic. `anyone`: there are no users. */
  userOf(exchange: Exchange): LabUser | 'anyone' | undefined {
    if (!this.#auth) return 'anyone';
    if (exchange.faults.isOn('databaseDown')) return undefined;
    const [scheme = '', value = ''] = (exchange.req.headers.authorization ?? '').split(' ');
    return scheme.toLowerCase() === 'basic' ? this.#user(value) : undefined;
  }

  get users(): readonly LabUser[] {
    return this.#auth?.users ?? [];
  }

  /** Whether anyone may pull from a repository. */
  isPublic(repository: string): boolean {
    return within(repository, this.#auth?.anonymous ?? []);
  }

  /** GET of the token service: grants what is permitted of what is asked, which may be nothing. */
  async issue(exchange: Exchange): Promise<void> {
    const { authorization } = exchange.req.headers;
    if (exchange.req.method !== 'GET') throw new LabError(405, 'UNSUPPORTED', 'GET only', { allow: 'GET' });
    const asked = exchange.query
      .getAll('scope')
      .flatMap((text) => text.split(' ').flatMap((one) => parseScope(one) ?? []));
    if (this.#auth?.asHarbor) return this.#issueAsHarbor(exchange, asked);
    const user = authorization === undefined ? undefined : this.#user(authorization.replace(/^basic /i, ''));
    if (authorization !== undefined && !user) throw new LabError(401, 'UNAUTHORIZED', 'unknown user or wrong password');
    const scopes = asked.flatMap((scope) => (user ? permitted(user, scope) : this.#anonymous(scope)));
    this.#reply(exchange, scopes, randomBytes(24).toString('base64url'));
  }

  /**
   * Harbor (src/core/service/token): a login that fails for whatever reason is that of nobody. Without a scope it is refused; with one it
   * gets a token that has no `sub`, and opens what is public.
   */
  async #issueAsHarbor(exchange: Exchange, asked: readonly Scope[]): Promise<void> {
    const databaseDown = exchange.takeFault('databaseDown') !== undefined;
    const user = databaseDown ? undefined : await this.#harborUser(exchange);
    if (!user && asked.length === 0) throw new LabError(401, 'UNAUTHORIZED', '', {}, '');
    const access = asked.map((scope) => {
      const whole = scope.type === 'repository' ? { ...scope, actions: HARBOR_ACTIONS } : scope;
      const [open] = user ? permitted(user, whole) : this.#anonymous(scope);
      return { ...scope, actions: databaseDown ? [] : (open?.actions ?? []) };
    });
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'harbor-token-issuer',
      sub: user?.username,
      aud: ['harbor-registry'],
      exp: iat + this.#lifetime,
      nbf: iat,
      iat,
      jti: randomBytes(12).toString('base64url'),
      access,
    };
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const value = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}.${randomBytes(24).toString('base64url')}`;
    this.#reply(exchange, access, value);
  }

  /** A wrong password locks its name for a moment. Secrets of robots are compared before the lock is looked at. */
  async #harborUser(exchange: Exchange): Promise<LabUser | undefined> {
    const { authorization } = exchange.req.headers;
    if (authorization === undefined) return undefined;
    const basic = authorization.replace(/^basic /i, '');
    const name = Buffer.from(basic, 'base64').toString('utf8').split(':', 1)[0] ?? '';
    const user = this.#user(basic);
    const isRobot = name.startsWith('robot$');
    if (user && isRobot) return user;
    if (!isRobot && this.#lock.isLocked(name)) return undefined;
    if (!user) await Promise.race([sleep(this.#lock.lock(name)), exchange.closed]);
    return user;
  }

  get #lifetime(): number {
    return this.#auth?.expiresIn ?? 300;
  }

  #reply(exchange: Exchange, scopes: Scope[], value: string): void {
    const seconds = this.#lifetime;
    const oldest = this.#tokens.keys().next().value;
    if (oldest !== undefined && this.#tokens.size >= MAX_TOKENS) this.#tokens.delete(oldest);
    this.#tokens.set(value, { scopes, expiresAt: performance.now() + seconds * 1000 });
    const issued_at = new Date().toISOString();
    exchange.json(200, { token: value, access_token: value, expires_in: seconds, issued_at });
  }

  /**
   * How Harbor answers while its database is down: a challenge only where it needs no look into the database.
   * @throws LabError 401
   */
  demandWithoutDatabase(exchange: Exchange, kind: LabKind): void {
    const { authorization = '' } = exchange.req.headers;
    const read = ['GET', 'HEAD'].includes(exchange.req.method ?? '');
    const isToken = this.#tokens.has(authorization.replace(/^bearer /i, ''));
    if (kind === 'ping' && isToken) return;
    const refuse = (challenge: string) => {
      throw new LabError(401, 'UNAUTHORIZED', 'unauthorized', { 'www-authenticate': challenge });
    };
    if (kind === 'catalog' || (kind === 'ping' && authorization !== '')) refuse('Basic realm="harbor"');
    if (authorization === '' && (kind === 'ping' || read)) throw this.#challenge(exchange, undefined);
    refuse('');
  }

  #anonymous(scope: Scope): Scope[] {
    const open = scope.type === 'repository' && within(scope.name, this.#auth?.anonymous ?? []);
    return open && scope.actions.includes('pull') ? [{ ...scope, actions: ['pull'] }] : [];
  }

  #user(basic: string): LabUser | undefined {
    const text = Buffer.from(basic, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    const named = this.#auth?.users.find(({ username }) => username === text.slice(0, colon));
    return named && colon >= 0 && !hasEnded(named) && same(named.password, text.slice(colon + 1)) ? named : undefined;
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

/** Harbor's challenge for its catalog, and for credentials that it does not take. */
function harborChallenge(): LabError {
  return new LabError(401, 'UNAUTHORIZED', 'unauthorized', { 'www-authenticate': 'Basic realm="harbor"' });
}

function hasEnded({ expiresAt = -1 }: LabUser): boolean {
  return expiresAt !== -1 && expiresAt * 1000 <= Date.now();
}

function same(one: string, other: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(one), hash(other));
}

/** Whether a repository is in a list of names and prefixes. */
export function within(repository: string, list: string[]): boolean {
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
