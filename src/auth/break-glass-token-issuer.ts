import { isBreakGlassName } from '../config/htpasswd.ts';
import { isRepository } from '../oci/reference.ts';
import { formatScope, type Scope } from '../oci/scope.ts';
import type { Caller } from './caller.ts';
import { breakGlassBasis } from './delegated-access-policy.ts';
import type { LocalAuthority } from './local-authority.ts';
import { type Login, LoginThrottle } from './login-throttle.ts';
import type { DelegatedRepositoryKey } from './repository-key.ts';
import type { TokenGrant, TokenIssuer, TokenIssuerOptions, TokenRefusal } from './token-issuer.ts';
import { OUTAGE_TOKEN_MS, outageDetail, sealTokens } from './token-issuer.ts';
import type { TokenRequest } from './token-request.ts';

export interface BreakGlassTokenIssuerOptions extends TokenIssuerOptions<DelegatedRepositoryKey> {
  /** Issues the tokens of all other users. */
  authorityIssuer: TokenIssuer;
  users: LocalAuthority;
  /** Resolves while the authority can be reached. @throws an error whose `summary` says why it cannot */
  pingAuthority: () => Promise<unknown>;
  /** Name of the upstream that is the authority. */
  authority: string;
}

/**
 * Issues tokens to break-glass users while the authority of `auth.mode: delegate` cannot be reached (`auth.breakGlassFile`). Their names
 * differ from all names of the authority, so their passwords are never sent to the authority and no user there is shut out.
 */
export class BreakGlassTokenIssuer implements TokenIssuer {
  readonly #options: BreakGlassTokenIssuerOptions;
  readonly #throttle: LoginThrottle;

  constructor(options: BreakGlassTokenIssuerOptions) {
    this.#options = options;
    this.#throttle = new LoginThrottle(options.failures);
  }

  async issue(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const { authorityIssuer, users } = this.#options;
    const { credentials } = request;
    // Break-glass users get no refresh token, because a client would store it in place of the password.
    if (credentials.kind !== 'password' || !isBreakGlassName(credentials.user))
      return authorityIssuer.issue(request, caller);
    const { user, password } = credentials;
    const known = () => users.passwords.isRecentlyVerified(user, password);
    return this.#throttle.attempt(credentials, caller, known, () => this.#decide(credentials, request));
  }

  async #decide({ user, password }: Login, request: TokenRequest): Promise<TokenGrant | TokenRefusal> {
    const { users, pingAuthority, authority } = this.#options;
    // The password is checked first: only its owner learns the state of the authority, and an unknown name takes as long as a known one.
    if (!(await users.passwords.verify(user, password))) return { refused: 'credentials' };
    try {
      await pingAuthority();
    } catch (error) {
      return this.#grant(user, request, outageDetail(error));
    }
    return {
      refused: 'idle',
      detail: `${user} may log in only while ${authority} is unreachable, and it is reachable now`,
    };
  }

  async #grant(user: string, { scopes }: TokenRequest, detail: string): Promise<TokenGrant> {
    const { sealer, users, service } = this.#options;
    const granted = scopes.map((scope) => ({ scope, access: this.#grantedScopes(user, scope) }));
    const claims = {
      user,
      service,
      basis: breakGlassBasis(users, user),
      access: granted.flatMap(({ access }) => access),
    };
    const tokens = await sealTokens(sealer, claims, Math.min(this.#options.lifetime, OUTAGE_TOKEN_MS));
    const scope = granted
      .filter(({ access }) => access.length > 0)
      .map((one) => formatScope({ ...one.scope, actions: ['pull'] }))
      .join(' ');
    return { ...tokens, scope, outage: { grant: 'break-glass', detail } };
  }

  /** Repositories that the authority knows nothing of are not part of its outage. */
  #grantedScopes(user: string, { type, name, actions }: Scope): Scope[] {
    if (type !== 'repository' || !isRepository(name)) return [];
    if (!actions.includes('pull') && !actions.includes('*')) return [];
    return this.#options
      .repositoryKeys(name)
      .filter((key) => key.authorityName !== undefined && this.#options.users.allows(user, key, 'pull'))
      .map((key) => ({ type, name: key.tokenName, actions: ['pull'] }));
  }
}
