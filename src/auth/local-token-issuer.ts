import { ACTIONS } from '../config/access-rule.ts';
import { isRepository } from '../oci/reference.ts';
import { formatScope, type Scope } from '../oci/scope.ts';
import type { Caller } from './caller.ts';
import type { LocalAuthority } from './local-authority.ts';
import { LoginThrottle } from './login-throttle.ts';
import {
  issueAnonymousToken,
  sealTokens,
  type TokenGrant,
  type TokenIssuer,
  type TokenIssuerOptions,
  type TokenRefusal,
} from './token-issuer.ts';
import type { TokenRequest } from './token-request.ts';

export interface LocalTokenIssuerOptions extends TokenIssuerOptions {
  authority: LocalAuthority;
  /** Milliseconds. */
  refreshLifetime: number;
}

/** `auth.mode: htpasswd`: grants the requested actions that the edge's own rules allow. */
export class LocalTokenIssuer implements TokenIssuer {
  readonly #options: LocalTokenIssuerOptions;
  readonly #throttle: LoginThrottle;

  constructor(options: LocalTokenIssuerOptions) {
    this.#options = options;
    this.#throttle = new LoginThrottle(options.failures);
  }

  async issue(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const { credentials } = request;
    const { authority } = this.#options;
    if (credentials.kind === 'none') return issueAnonymousToken(this.#options, request, caller);
    if (credentials.kind === 'bearer') return { refused: 'credentials' };
    if (credentials.kind === 'refresh') return this.#refresh(credentials.token, request);
    const { user, password } = credentials;
    // Other clients that try the same name must not lock out a user with a known password.
    const known = () => authority.passwords.isRecentlyVerified(user, password);
    return this.#throttle.attempt(credentials, caller, known, async () =>
      (await authority.passwords.verify(user, password)) ? this.#grant(user, request) : { refused: 'credentials' },
    );
  }

  /** A bad refresh token counts as no failed login: tokens cannot be guessed, and an old token is no attack. */
  async #refresh(token: string, request: TokenRequest): Promise<TokenGrant | TokenRefusal> {
    const { authority, sealer, service } = this.#options;
    const opened = await sealer.open(token);
    const claims = 'claims' in opened ? opened.claims : undefined;
    const { user, basis } = claims ?? {};
    const fits = claims?.use === 'refresh' && claims.service === service;
    if (!fits || user === undefined || basis === undefined || authority.passwords.basis(user) !== basis)
      return { refused: 'credentials' };
    // The client keeps its refresh token, or gets a new one if it asks for one.
    return this.#grant(user, request);
  }

  async #grant(user: string, { scopes, wantsRefreshToken }: TokenRequest): Promise<TokenGrant> {
    const { sealer, authority, service, lifetime, refreshLifetime } = this.#options;
    const granted = scopes.map((scope) => ({ scope, access: this.#grantedScopes(user, scope) }));
    const claims = { user, service, basis: authority.passwords.basis(user) };
    const access = granted.flatMap((one) => one.access);
    const refresh = wantsRefreshToken ? { lifetime: refreshLifetime } : undefined;
    const tokens = await sealTokens(sealer, { ...claims, access }, lifetime, refresh);
    return { ...tokens, scope: granted.flatMap((one) => requestedForm(one.scope, one.access)).join(' ') };
  }

  /** A name may exist in several registries, so each repository is decided by itself. */
  #grantedScopes(user: string, scope: Scope): Scope[] {
    // Every user may read the catalog, which lists only what that user may pull.
    if (scope.type === 'registry')
      return scope.name === 'catalog' && scope.actions.includes('*') ? [{ ...scope, actions: ['*'] }] : [];
    if (scope.type !== 'repository' || !isRepository(scope.name)) return [];
    const asked = scope.actions.includes('*') ? ACTIONS : ACTIONS.filter((action) => scope.actions.includes(action));
    return this.#options.repositoryKeys(scope.name).flatMap((key) => {
      const actions = asked.filter((action) => this.#options.authority.allows(user, key, action));
      return actions.length > 0 ? [{ ...scope, name: key.tokenName, actions }] : [];
    });
  }
}

/** The granted actions under the name that the client asked for. */
function requestedForm({ type, name }: Scope, access: readonly Scope[]): string[] {
  const actions = [...new Set(access.flatMap((one) => one.actions))];
  return actions.length > 0 ? [formatScope({ type, name, actions })] : [];
}
