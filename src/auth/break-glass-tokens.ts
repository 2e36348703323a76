import { isBreakGlassName } from '../config/htpasswd.ts';
import { isRepository } from '../oci/reference.ts';
import { formatScope, type Scope } from '../oci/scope.ts';
import type { Caller } from './caller.ts';
import { breakGlassBasis } from './delegated-standing.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { LocalAuthority } from './local-authority.ts';
import { type Login, LoginGate } from './login-gate.ts';
import type { DelegatedPlace } from './place.ts';
import type { TokenBox } from './token-box.ts';
import type { TokenRequest } from './token-request.ts';
import type { TokenGrant, TokenRefusal, Tokens } from './tokens.ts';
import { OUTAGE_MS, summaryOf } from './tokens.ts';

export interface BreakGlassTokensOptions {
  /** Who decides about everybody else. */
  others: Tokens;
  users: LocalAuthority;
  /** Whether the authority could be asked now. @throws what says in its `summary` why it cannot */
  reach: () => Promise<unknown>;
  /** Name of the upstream that is the authority. */
  authority: string;
  box: TokenBox;
  failures: FailureLimit;
  /** Name of the service that tokens are for. */
  service: string;
  /** Every registry's repository of that name that a route leads to. */
  places: (repository: string) => readonly DelegatedPlace[];
  /** Milliseconds. */
  lifetime: number;
  now?: () => number;
}

/**
 * Users of the edge's own for the time when the authority of `auth.mode: delegate` cannot be asked (`auth.breakGlassFile`). Their names
 * are none of the authority's, so that no password of theirs is sent there and nobody there is kept out.
 */
export class BreakGlassTokens implements Tokens {
  readonly #options: BreakGlassTokensOptions;
  readonly #now: () => number;
  readonly #gate: LoginGate;

  constructor(options: BreakGlassTokensOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#gate = new LoginGate(options.failures);
  }

  async answer(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const { others, users } = this.#options;
    const { credentials } = request;
    // They get no refresh tokens, and what is kept in place of one by the client is the password.
    if (credentials.kind !== 'password' || !isBreakGlassName(credentials.user)) return others.answer(request, caller);
    const { user, password } = credentials;
    const known = () => users.remembers(user, password);
    return this.#gate.pass(credentials, caller, known, () => this.#decide(credentials, request));
  }

  async #decide({ user, password }: Login, request: TokenRequest): Promise<TokenGrant | TokenRefusal> {
    const { users, reach, authority } = this.#options;
    // First, so that only who knows the password learns more, and so that a name that is not there takes as long.
    if (!(await users.authenticate(user, password))) return { refused: 'credentials' };
    try {
      await reach();
    } catch (error) {
      return this.#grant(user, request, summaryOf(error));
    }
    return { refused: 'idle', detail: `${user} may log in only while ${authority} cannot be asked, and it can` };
  }

  async #grant(user: string, { scopes }: TokenRequest, detail: string): Promise<TokenGrant> {
    const { box, users, service } = this.#options;
    const issued = this.#now();
    const lifetime = Math.min(this.#options.lifetime, OUTAGE_MS);
    const granted = scopes.map((scope) => ({ scope, access: this.#granted(user, scope) }));
    const token = await box.seal({
      use: 'access',
      user,
      service,
      issued,
      expires: issued + lifetime,
      access: granted.flatMap(({ access }) => access),
      basis: breakGlassBasis(users, user),
    });
    const scope = granted
      .filter(({ access }) => access.length > 0)
      .map((one) => formatScope({ ...one.scope, actions: ['pull'] }))
      .join(' ');
    const outage = { grant: 'break-glass', detail } as const;
    return { user, token, refreshToken: undefined, expiresIn: Math.floor(lifetime / 1000), issued, scope, outage };
  }

  /** Place by place. What the authority has no say in is not part of its outage. */
  #granted(user: string, { type, name, actions }: Scope): Scope[] {
    if (type !== 'repository' || !isRepository(name)) return [];
    if (!actions.includes('pull') && !actions.includes('*')) return [];
    return this.#options
      .places(name)
      .filter((place) => place.onAuthority !== undefined && this.#options.users.may(user, place, 'pull'))
      .map((place) => ({ type, name: place.key, actions: ['pull'] }));
  }
}
