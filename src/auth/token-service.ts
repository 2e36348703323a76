import { hash } from 'node:crypto';
import { ACTIONS, type Action } from '../config/access-rule.ts';
import { isRepository } from '../oci/reference.ts';
import { formatScope, type Scope } from '../oci/scope.ts';
import type { Authority, Place } from './authority.ts';
import { addressKey, type Caller, pairKey, userKey } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { TokenBox } from './token-box.ts';
import type { TokenRequest } from './token-request.ts';
import type { TokenGrant, TokenRefusal, Tokens } from './tokens.ts';

export interface TokenServiceOptions {
  authority: Authority;
  box: TokenBox;
  failures: FailureLimit;
  /** Name of the service that tokens are for. */
  service: string;
  /** Every registry's repository of that name that a route leads to. */
  places: (repository: string) => readonly Place[];
  /** Milliseconds. */
  lifetime: number;
  refreshLifetime: number;
  now?: () => number;
}

/** Passwords that are checked at once, each in tens of milliseconds of a thread of the pool. */
const MAX_CHECKS = 64;
const BUSY_MS = 1000;

/** The edge's own token service (Docker registry token protocol): grants what is both asked for and allowed. */
export class TokenService implements Tokens {
  readonly #options: TokenServiceOptions;
  readonly #now: () => number;
  /** Passwords that are being checked. */
  readonly #checks = new Map<string, Promise<TokenRefusal | undefined>>();

  constructor(options: TokenServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async answer(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const { credentials } = request;
    if (credentials.kind === 'none') {
      return caller.anonymous ? this.#grant(undefined, request) : { refused: 'credentials' };
    }
    if (credentials.kind === 'refresh') return this.#refreshed(credentials.token, request);
    const { user, password } = credentials;
    // What is remembered could be guessed at like anything else: who tried this name too often from there waits in any case.
    const waitMs = this.#options.failures.wait([pairKey(caller.address, user)]);
    if (waitMs > 0) return { refused: 'wait', waitMs };
    // Whoever was right a moment ago is not locked out by others who try the same name.
    if (!this.#options.authority.remembers(user, password)) {
      const refusal = await this.#checked(user, password, caller);
      if (refusal) return refusal;
    }
    return this.#grant(user, request);
  }

  /** A herd that comes with one password asks once, and counts once. */
  #checked(user: string, password: string, caller: Caller): Promise<TokenRefusal | undefined> {
    const mark = hash('sha256', JSON.stringify([user, password]), 'base64');
    const pending = this.#checks.get(mark);
    if (pending) return pending;
    if (this.#checks.size >= MAX_CHECKS) return Promise.resolve({ refused: 'wait', waitMs: BUSY_MS });
    const check = this.#check(user, password, caller).finally(() => this.#checks.delete(mark));
    this.#checks.set(mark, check);
    return check;
  }

  async #check(user: string, password: string, caller: Caller): Promise<TokenRefusal | undefined> {
    const { authority, failures } = this.#options;
    const address = addressKey(caller.address);
    const pair = pairKey(caller.address, user);
    const waitMs = failures.wait([address, userKey(user)]);
    // It was held against what is remembered all the same: whoever guesses on is soon not listened to.
    if (waitMs > 0) failures.failed([pair]);
    if (waitMs > 0) return { refused: 'wait', waitMs };
    // In advance: else as many as come at once could be tried.
    failures.failed([userKey(user)]);
    if (!(await authority.authenticate(user, password))) {
      failures.failed([address, pair]);
      return { refused: 'credentials' };
    }
    failures.forgive([userKey(user)]);
    return undefined;
  }

  /** No failure is counted: nobody guesses a token, and an old one is no attack. */
  async #refreshed(token: string, request: TokenRequest): Promise<TokenGrant | TokenRefusal> {
    const { authority, box, service } = this.#options;
    const opened = await box.open(token);
    const claims = 'claims' in opened ? opened.claims : undefined;
    const { user, basis } = claims ?? {};
    const fits = claims?.use === 'refresh' && claims.service === service;
    if (!fits || user === undefined || basis === undefined || authority.basis(user) !== basis)
      return { refused: 'credentials' };
    // The client goes on with the one that it has; with `offline` it is given its successor.
    return this.#grant(user, request);
  }

  async #grant(user: string | undefined, { scopes, offline }: TokenRequest): Promise<TokenGrant> {
    const { box, authority, service, lifetime, refreshLifetime } = this.#options;
    const issued = this.#now();
    const granted = scopes.map((scope) => ({ scope, access: this.#granted(user, scope) }));
    const access = granted.flatMap((one) => one.access);
    const basis = user === undefined ? undefined : authority.basis(user);
    const claims = { user, service, issued, basis };
    const token = await box.seal({ ...claims, use: 'access', access, expires: issued + lifetime });
    const refreshToken =
      offline && user !== undefined
        ? await box.seal({ ...claims, use: 'refresh', access: [], expires: issued + refreshLifetime })
        : undefined;
    const scope = granted.flatMap((one) => asAsked(one.scope, one.access)).join(' ');
    return { user, token, refreshToken, expiresIn: Math.floor(lifetime / 1000), issued, scope };
  }

  /** Place by place: a name may be one in several registries. */
  #granted(user: string | undefined, scope: Scope): Scope[] {
    // Who has a name may list the catalog, which shows each what it may pull.
    if (scope.type === 'registry')
      return scope.name === 'catalog' && user !== undefined && scope.actions.includes('*')
        ? [{ ...scope, actions: ['*'] }]
        : [];
    if (scope.type !== 'repository' || !isRepository(scope.name)) return [];
    const asked = scope.actions.includes('*') ? ACTIONS : ACTIONS.filter((action) => scope.actions.includes(action));
    return this.#options.places(scope.name).flatMap((place) => {
      const actions = asked.filter((action) => this.#may(user, place, action));
      return actions.length > 0 ? [{ ...scope, name: place.name, actions }] : [];
    });
  }

  #may(user: string | undefined, place: Place, action: Action): boolean {
    if (user === undefined) return place.anonymous && action === 'pull';
    return this.#options.authority.may(user, place, action);
  }
}

/** What was granted, in the name that it was asked for by. */
function asAsked({ type, name }: Scope, access: readonly Scope[]): string[] {
  const actions = [...new Set(access.flatMap((one) => one.actions))];
  return actions.length > 0 ? [formatScope({ type, name, actions })] : [];
}
