import { formatScope, mergeScopes } from '../oci/scope.ts';
import { AnonymousAuthority, type AnonymousAuthorityOptions } from './anonymous-authority.ts';
import type { AuthorityFingerprint } from './authority-fingerprint.ts';
import type { Caller } from './caller.ts';
import { type AuthorityDecision, DelegatedAuthority } from './delegated-authority.ts';
import type { GrantHolder } from './grants.ts';
import type { JwtIssuers } from './jwt-issuers.ts';
import type { RememberedRights } from './known-rights.ts';
import { type Login, LoginThrottle } from './login-throttle.ts';
import {
  authorizationOf,
  bearerLogin,
  holderOf,
  holdersNamed,
  isUnproven,
  nameOf,
  type ProvenLogin,
  throttledLogin,
} from './proven-login.ts';
import type { DelegatedRepositoryKey } from './repository-key.ts';
import { type RequestedScope, requestedScopes } from './requested-scopes.ts';
import type { OutageGrant, TokenGrant, TokenIssuer, TokenIssuerOptions, TokenRefusal } from './token-issuer.ts';
import { issueAnonymousToken, OUTAGE_TOKEN_MS, sealTokens } from './token-issuer.ts';
import type { Credentials, TokenRequest } from './token-request.ts';

export interface DelegatedTokenIssuerOptions
  extends TokenIssuerOptions<DelegatedRepositoryKey>,
    AnonymousAuthorityOptions {
  /** Identity of the authority, for grants. */
  authority: string;
  /** Goes into the tokens of the authority's users. */
  fingerprint: AuthorityFingerprint;
  /** Milliseconds. */
  refreshLifetime: number;
  /** Issuers of JWTs that are remembered by their subject. */
  jwts?: JwtIssuers;
}

/** A requested scope with the granted actions. */
interface GrantedScope extends RequestedScope {
  actions: string[];
  /** The authority neither shows the repository nor grants the pull. */
  authorityOnly?: boolean;
  /** The authority granted the pull before and does not show the repository now. */
  previouslyGranted?: boolean;
}

/** The authority's own token for the user, and what is known of the authority. */
interface AuthorityAccess {
  /** Undefined: the token opens nothing at the authority. */
  authorization: string | undefined;
  /** The authority's name of a repository -> another Authorization for that repository. */
  repositoryAuthorizations?: Record<string, string> | undefined;
  catalogAuthorization?: string | undefined;
  /** Milliseconds. */
  lifetime: number;
  outage?: OutageGrant;
  /** The client asked for a push while the authority could not be reached. */
  authorityUnreachable?: true | undefined;
}

/** Clients expect tokens to last at least this long. */
const MIN_LIFETIME_MS = 60_000;
/** A token with the password in it lasts no longer: its client lists a catalog, and may ask again. */
const PASSWORD_LIFETIME_MS = MIN_LIFETIME_MS;
/** Stands for all clients without credentials. No user has an empty name. */
const NOBODY: Login = { user: '', password: '' };

/**
 * `auth.mode: delegate`: the upstream with `credentials: forward` decides. The edge's token contains the authority's own token for the
 * user, so the edge holds no session and the upstream sees the user. Granted pulls are remembered for outages of the authority.
 */
export class DelegatedTokenIssuer implements TokenIssuer {
  readonly #options: DelegatedTokenIssuerOptions;
  readonly #authority: DelegatedAuthority;
  readonly #anonymous: AnonymousAuthority;
  readonly #throttle: LoginThrottle;

  constructor(options: DelegatedTokenIssuerOptions) {
    this.#options = options;
    this.#authority = new DelegatedAuthority(options);
    this.#anonymous = new AnonymousAuthority(options);
    this.#throttle = new LoginThrottle(options.failures);
  }

  async issue(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const { credentials } = request;
    if (credentials.kind === 'none') return this.#issueAnonymously(request, caller);
    const login = await this.#loginOf(credentials);
    if (!login) return { refused: 'credentials' };
    const decided = await this.#throttled(login, request, caller);
    return 'refused' in decided && decided.refused === 'unavailable' && decided.outage
      ? this.#grantOpen(request, decided)
      : decided;
  }

  /** What is remembered of a user, for `explain`. @param repository the authority's name; undefined: it does not know the repository */
  remembered(
    user: string,
    repository: string | undefined,
  ): Pick<RememberedRights, 'isKnownThere' | 'keepMs' | 'remembered' | 'openMs'> {
    const { authority, grants, jwts } = this.#options;
    const isKnownThere = repository !== undefined;
    const holders = holdersNamed(user, authority, jwts?.names ?? []);
    const known = holders.flatMap((one) => grants.rightsOf(one, repository ?? '') ?? []);
    const remembered = known.toSorted((a, b) => b.pullMs - a.pullMs)[0];
    const openMs = repository === undefined ? 0 : grants.pullValidMs(this.#holder(NOBODY), repository);
    return { isKnownThere, keepMs: grants.keepMs, remembered, openMs };
  }

  async #loginOf(credentials: Exclude<Credentials, { kind: 'none' }>): Promise<ProvenLogin | false | undefined> {
    const { jwts } = this.#options;
    if (credentials.kind === 'bearer') {
      const proof = await jwts?.prove(credentials.token);
      // The tokens of all others, and those that somebody has made up, are not for the authority.
      return proof && proof.state !== 'invalid' && bearerLogin(credentials.token, proof);
    }
    const login = credentials.kind === 'password' ? credentials : await this.#loginFromRefreshToken(credentials.token);
    return login && { user: login.user, password: login.password, proof: await jwts?.prove(login.password) };
  }

  /** In an outage, a user to whom nothing can be granted may still pull what any client may. */
  async #grantOpen(
    request: TokenRequest,
    refusal: Extract<TokenRefusal, { detail: string }>,
  ): Promise<TokenGrant | TokenRefusal> {
    const wanted = requestedScopes(request.scopes, this.#options.repositoryKeys).flatMap(toPull);
    if (wanted.length === 0) return refusal;
    const granted = await this.#grantRemembered(
      NOBODY,
      { ...request, wantsRefreshToken: false },
      wanted,
      refusal.detail,
    );
    return 'refused' in granted ? refusal : granted;
  }

  /** What a network may pull without a login is not asked about. All else is for the authority to say. */
  async #issueAnonymously(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const own = await issueAnonymousToken(this.#options, request, caller);
    const wanted = requestedScopes(request.scopes, this.#options.repositoryKeys).flatMap(toPull);
    if (wanted.length === 0 || ('scope' in own && own.scope !== '')) return own;
    const scopes = mergeScopes(wanted.map(({ authorityScope }) => authorityScope));
    const decision = await this.#anonymous.decide({ holder: this.#holder(NOBODY), scopes });
    const issued = await this.#tokenFor(NOBODY, request, wanted, decision);
    return 'refused' in issued && issued.refused === 'credentials' ? own : issued;
  }

  #throttled(login: ProvenLogin, request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    // Other clients that try the same name must not lock out a user with a known password.
    const known = () => this.#passwordValidMs(login) > 0;
    return this.#throttle.attempt(throttledLogin(login), caller, known, () => this.#decide(login, request));
  }

  async #decide(login: ProvenLogin, request: TokenRequest): Promise<TokenGrant | TokenRefusal> {
    const wanted = requestedScopes(request.scopes, this.#options.repositoryKeys);
    const scopes = mergeScopes(wanted.map(({ authorityScope }) => authorityScope));
    const authorization = authorizationOf(login);
    const holder = this.#holder(login);
    const decision = await this.#authority.decide({ holder, scopes, authorization, isUnproven: isUnproven(login) });
    return this.#tokenFor(login, request, wanted, decision);
  }

  async #tokenFor(
    login: ProvenLogin,
    request: TokenRequest,
    wanted: readonly RequestedScope[],
    decision: AuthorityDecision,
  ): Promise<TokenGrant | TokenRefusal> {
    switch (decision.outcome) {
      case 'refused':
        return { refused: 'credentials' };
      case 'undecided':
        return { refused: 'unavailable', detail: decision.detail };
      case 'outage':
        return this.#grantRemembered(login, request, wanted, decision.detail);
      case 'granted':
        return this.#grantDecided(login, request, wanted, decision);
    }
  }

  #grantDecided(
    login: ProvenLogin,
    request: TokenRequest,
    wanted: readonly RequestedScope[],
    decision: Extract<AuthorityDecision, { outcome: 'granted' }>,
  ): Promise<TokenGrant> | TokenRefusal {
    const { grants } = this.#options;
    const holder = this.#holder(login);
    const { granted, undecided, authorization, perRepository: repositoryAuthorizations, expiresIn } = decision;
    // It has the password in it, so only a token for the catalog gets it.
    const forCatalog = wanted.some(({ scope }) => scope.type === 'registry');
    const catalogAuthorization = forCatalog ? decision.catalogAuthorization : undefined;
    // During an outage a token stands for a remembered grant, so it must not outlive that grant.
    let keepMs = grants.keepMs;
    const access = wanted.flatMap((one): GrantedScope[] => {
      const { type, name } = one.authorityScope;
      const may = granted.find((scope) => scope.type === type && scope.name === name)?.actions ?? [];
      const recalled = undecided.includes(name) && !isUnproven(login) ? grants.pullValidMs(holder, name) : 0;
      if (recalled > 0) keepMs = Math.min(keepMs, recalled);
      // The authority may be hiding the repository from this user. A user that pushes there may read from the authority only.
      const authorityOnly = undecided.includes(name) && recalled === 0 && may.includes('push');
      const pulls = recalled > 0 || authorityOnly;
      const actions = one.authorityScope.actions.filter(
        (action) => may.includes(action) || (pulls && action === 'pull'),
      );
      return actions.length > 0 ? [{ ...one, actions, authorityOnly, previouslyGranted: recalled > 0 }] : [];
    });
    if (login === NOBODY && access.length === 0) return { refused: 'credentials' };
    const lasts = (expiresIn ?? Number.POSITIVE_INFINITY) * 1000;
    const withPassword = catalogAuthorization === undefined ? Number.POSITIVE_INFINITY : PASSWORD_LIFETIME_MS;
    const kept = Math.max(keepMs, MIN_LIFETIME_MS);
    const lifetime = Math.min(this.#options.lifetime, lasts, kept, withPassword, this.#proofMs(login));
    const opens = { authorization, repositoryAuthorizations, catalogAuthorization };
    return this.#grant(login, request, access, { ...opens, lifetime });
  }

  /** Grants exactly what the authority let this user, or any client, pull within `auth.remember`. */
  #grantRemembered(
    login: ProvenLogin,
    request: TokenRequest,
    wanted: readonly RequestedScope[],
    detail: string,
  ): Promise<TokenGrant> | TokenRefusal {
    const { grants } = this.#options;
    const holder = this.#holder(login);
    const state = login.proof?.state;
    if (state === 'expired' || state === 'invalid') return { refused: 'credentials' };
    let left = this.#passwordValidMs(login);
    const refusal = { refused: 'unavailable', detail, outage: true } as const;
    if (left === 0) return refusal;
    const holders = [holder, this.#holder(NOBODY)];
    const access = wanted.flatMap((one) => {
      const { name } = one.authorityScope;
      const valid = one.scope.type === 'repository' ? holders.map((who) => grants.pullValidMs(who, name)) : [];
      const mine = Math.max(0, ...valid);
      if (mine === 0 || !one.authorityScope.actions.includes('pull')) return [];
      left = Math.min(left, mine);
      return [{ ...one, actions: ['pull'] }];
    });
    const authorityUnreachable =
      wanted.some(({ authorityScope }) => authorityScope.actions.includes('push')) || undefined;
    // A token that opens nothing still brings a push to the reason of its refusal, which clients do not show of a token request.
    if (wanted.length > 0 && access.length === 0 && !authorityUnreachable) return refusal;
    const lifetime = Math.min(this.#options.lifetime, OUTAGE_TOKEN_MS, left, this.#proofMs(login));
    const outage = { grant: 'remembered', detail } as const;
    return this.#grant(login, request, access, { authorization: undefined, lifetime, outage, authorityUnreachable });
  }

  async #grant(
    login: ProvenLogin,
    { wantsRefreshToken }: TokenRequest,
    access: readonly GrantedScope[],
    { repositoryAuthorizations = {}, lifetime, outage, ...opens }: AuthorityAccess,
  ): Promise<TokenGrant> {
    const { sealer, service, refreshLifetime, fingerprint } = this.#options;
    const own = access.flatMap(({ repositoryKey, authorityScope }): [string, string][] => {
      const authorization = repositoryAuthorizations[authorityScope.name];
      return authorization === undefined ? [] : [[repositoryKey.tokenName, authorization]];
    });
    const claims = {
      user: login === NOBODY ? undefined : nameOf(login),
      service,
      basis: fingerprint.text,
      access: access.map(({ scope, repositoryKey, actions }) => ({ ...scope, name: repositoryKey.tokenName, actions })),
      upstream: opens.authorization,
      catalogAuthorization: opens.catalogAuthorization,
      authorityUnreachable: opens.authorityUnreachable,
      authorityOnly: tokenNames(access.filter((one) => one.authorityOnly)),
      previouslyGranted: tokenNames(access.filter((one) => one.previouslyGranted)),
      upstreams: own.length > 0 ? own : undefined,
    };
    // The authority gets the name that the client gave.
    const { user, password: secret } = login;
    const refresh = wantsRefreshToken ? { lifetime: refreshLifetime, user, secret } : undefined;
    const tokens = await sealTokens(sealer, claims, lifetime, refresh);
    const scopes = mergeScopes(access.map(({ scope, actions }) => ({ ...scope, actions })));
    return { ...tokens, scope: scopes.map(formatScope).join(' '), outage };
  }

  #holder(login: ProvenLogin): GrantHolder {
    return holderOf(login, this.#options.authority);
  }

  #passwordValidMs(login: ProvenLogin): number {
    return isUnproven(login) ? 0 : this.#options.grants.passwordValidMs(this.#holder(login));
  }

  /**
   * Milliseconds until the JWT of the login ends. If the authority accepts one that seems to have ended, the clock of the edge may be wrong.
   */
  #proofMs({ proof }: ProvenLogin): number {
    if (!proof) return Number.POSITIVE_INFINITY;
    const leftMs = this.#options.jwts?.leftMs(proof) ?? 0;
    return proof.state === 'valid' ? leftMs : Math.max(leftMs, MIN_LIFETIME_MS);
  }

  async #loginFromRefreshToken(token: string): Promise<Login | undefined> {
    const opened = await this.#options.sealer.open(token);
    if (!('claims' in opened)) return undefined;
    const { use, service, user, secret, basis } = opened.claims;
    const fits =
      use === 'refresh' && service === this.#options.service && this.#options.fingerprint.matches(basis ?? '');
    return fits && user !== undefined && secret !== undefined ? { user, password: secret } : undefined;
  }
}

/** The pull of a requested scope: without credentials, no client does anything else. */
function toPull(one: RequestedScope): RequestedScope[] {
  const { type, name, actions } = one.authorityScope;
  if (type !== 'repository' || !actions.includes('pull')) return [];
  return [{ ...one, authorityScope: { type, name, actions: ['pull'] } }];
}

/** Undefined for none, so that tokens stay short. */
function tokenNames(scopes: readonly GrantedScope[]): string[] | undefined {
  return scopes.length > 0 ? scopes.map(({ repositoryKey }) => repositoryKey.tokenName) : undefined;
}
