import { ACTIONS } from '../config/access-rule.ts';
import { isRepository } from '../oci/reference.ts';
import { formatScope, type Scope } from '../oci/scope.ts';
import { anonymousToken } from './anonymous-token.ts';
import type { Caller } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { LocalAuthority } from './local-authority.ts';
import { LoginGate } from './login-gate.ts';
import type { Place } from './place.ts';
import type { TokenBox } from './token-box.ts';
import type { TokenRequest } from './token-request.ts';
import type { TokenGrant, TokenRefusal, Tokens } from './tokens.ts';

export interface LocalTokensOptions {
  authority: LocalAuthority;
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

/** `auth.mode: htpasswd`: grants what is both asked for and allowed by the edge's own rules. */
export class LocalTokens implements Tokens {
  readonly #options: LocalTokensOptions;
  readonly #now: () => number;
  readonly #gate: LoginGate;

  constructor(options: LocalTokensOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#gate = new LoginGate(options.failures);
  }

  async answer(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const { credentials } = request;
    const { authority } = this.#options;
    if (credentials.kind === 'none')
      return caller.anonymous ? anonymousToken(this.#options, request.scopes, this.#now()) : { refused: 'credentials' };
    if (credentials.kind === 'refresh') return this.#refreshed(credentials.token, request);
    const { user, password } = credentials;
    // Whoever was right a moment ago is not locked out by others who try the same name.
    const known = () => authority.remembers(user, password);
    return this.#gate.pass(credentials, caller, known, async () =>
      (await authority.authenticate(user, password)) ? this.#grant(user, request) : { refused: 'credentials' },
    );
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

  async #grant(user: string, { scopes, offline }: TokenRequest): Promise<TokenGrant> {
    const { box, authority, service, lifetime, refreshLifetime } = this.#options;
    const issued = this.#now();
    const granted = scopes.map((scope) => ({ scope, access: this.#granted(user, scope) }));
    const access = granted.flatMap((one) => one.access);
    const claims = { user, service, issued, basis: authority.basis(user) };
    const token = await box.seal({ ...claims, use: 'access', access, expires: issued + lifetime });
    const refreshToken = offline
      ? await box.seal({ ...claims, use: 'refresh', access: [], expires: issued + refreshLifetime })
      : undefined;
    const scope = granted.flatMap((one) => asAsked(one.scope, one.access)).join(' ');
    return { user, token, refreshToken, expiresIn: Math.floor(lifetime / 1000), issued, scope };
  }

  /** Place by place: a name may be one in several registries. */
  #granted(user: string, scope: Scope): Scope[] {
    // Who has a name may list the catalog, which shows each what it may pull.
    if (scope.type === 'registry')
      return scope.name === 'catalog' && scope.actions.includes('*') ? [{ ...scope, actions: ['*'] }] : [];
    if (scope.type !== 'repository' || !isRepository(scope.name)) return [];
    const asked = scope.actions.includes('*') ? ACTIONS : ACTIONS.filter((action) => scope.actions.includes(action));
    return this.#options.places(scope.name).flatMap((place) => {
      const actions = asked.filter((action) => this.#options.authority.may(user, place, action));
      return actions.length > 0 ? [{ ...scope, name: place.key, actions }] : [];
    });
  }
}

/** What was granted, in the name that it was asked for by. */
function asAsked({ type, name }: Scope, access: readonly Scope[]): string[] {
  const actions = [...new Set(access.flatMap((one) => one.actions))];
  return actions.length > 0 ? [formatScope({ type, name, actions })] : [];
}
