import { formatScope, mergeScopes, type Scope } from '../oci/scope.ts';
import type { UserAnswer } from '../upstream/credentials/user-tokens.ts';
import { anonymousToken } from './anonymous-token.ts';
import type { AuthorityMark } from './authority-mark.ts';
import type { Caller } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { Grants, Holder } from './grants.ts';
import { type Login, LoginGate } from './login-gate.ts';
import type { DelegatedPlace } from './place.ts';
import type { TokenBox } from './token-box.ts';
import type { TokenRequest } from './token-request.ts';
import type { OutageGrant, TokenGrant, TokenRefusal, Tokens } from './tokens.ts';
import { OUTAGE_MS, summaryOf } from './tokens.ts';
import { type Wanted, wantedOf } from './wanted.ts';

export interface DelegatedTokensOptions {
  /** @throws what says in its `summary` why the authority cannot be asked */
  ask: (basic: string, scopes: readonly Scope[]) => Promise<UserAnswer>;
  /** What tells the authority from every other one. */
  authority: string;
  /** What its users' tokens stand on. */
  mark: AuthorityMark;
  grants: Grants;
  box: TokenBox;
  failures: FailureLimit;
  /** Name of the service that tokens are for. */
  service: string;
  /** Every registry's repository of that name that a route leads to. */
  places: (repository: string) => readonly DelegatedPlace[];
  /** Milliseconds. */
  lifetime: number;
  refreshLifetime: number;
  now?: () => number;
}

/** What is granted of it. */
interface Given extends Wanted {
  actions: string[];
  /** The authority does not show it, and did not say either that the user may pull it. */
  unseen?: boolean;
  /** The authority let the user pull it before, and does not show it now. */
  previouslyGranted?: boolean;
}

/** What a token opens the authority with. */
interface Opening {
  /** Undefined: it opens nothing there. */
  authorization: string | undefined;
  /** By the authority's name of a repository, where another one is needed. */
  others?: Record<string, string> | undefined;
  /** Milliseconds. */
  lifetime: number;
  outage?: OutageGrant;
  /** Whether a push was asked for that the authority could not be asked about. */
  authorityUnreachable?: boolean;
}

/** The least that clients take a token to last. */
const MIN_LIFETIME_MS = 60_000;

/**
 * `auth.mode: delegate`: the upstream with `credentials: forward` decides. Its own token for the user travels inside the edge's, so that no state is needed and
 * the upstream sees the user; what it granted is remembered for the time when it cannot be asked.
 */
export class DelegatedTokens implements Tokens {
  readonly #options: DelegatedTokensOptions;
  readonly #now: () => number;
  readonly #gate: LoginGate;

  constructor(options: DelegatedTokensOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#gate = new LoginGate(options.failures);
  }

  async answer(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    const { credentials } = request;
    if (credentials.kind === 'none')
      return caller.anonymous ? anonymousToken(this.#options, request.scopes, this.#now()) : { refused: 'credentials' };
    if (credentials.kind === 'password') return this.#limited(credentials, request, caller);
    const login = await this.#loginIn(credentials.token);
    return login ? this.#limited(login, request, caller) : { refused: 'credentials' };
  }

  #limited(login: Login, request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal> {
    // Whoever was right before is not locked out by others who try the same name.
    const known = () => this.#options.grants.knows(this.#holder(login)) > 0;
    return this.#gate.pass(login, caller, known, () => this.#decide(login, request));
  }

  async #decide(login: Login, request: TokenRequest): Promise<TokenGrant | TokenRefusal> {
    const { ask, grants } = this.#options;
    const wanted = wantedOf(request.scopes, this.#options.places);
    const holder = this.#holder(login);
    const at = grants.now();
    let answer: UserAnswer;
    try {
      answer = await ask(basicOf(login), mergeScopes(wanted.map(({ onAuthority }) => onAuthority)));
    } catch (error) {
      return this.#recalled(login, request, wanted, summaryOf(error));
    }
    if (answer.outcome === 'refused') {
      grants.forget(holder, undefined, at);
      return { refused: 'credentials' };
    }
    const { granted, undecided, authorization, others, expiresIn } = answer;
    const asked = wanted
      .filter(({ scope, onAuthority }) => scope.type === 'repository' && onAuthority.actions.includes('pull'))
      .map(({ onAuthority }) => onAuthority.name);
    const pulls = new Set(granted.filter(({ actions }) => actions.includes('pull')).map(({ name }) => name));
    const withheld = asked.filter((name) => !pulls.has(name) && !undecided.includes(name));
    grants.remember(
      holder,
      asked.filter((name) => pulls.has(name)),
      at,
    );
    grants.forget(holder, withheld, at);
    // In an outage the token itself is what is remembered.
    let keepMs = grants.keepMs;
    const access = wanted.flatMap((one): Given[] => {
      const { type, name } = one.onAuthority;
      const may = granted.find((scope) => scope.type === type && scope.name === name)?.actions ?? [];
      const recalled = undecided.includes(name) ? grants.recalls(holder, name) : 0;
      if (recalled > 0) keepMs = Math.min(keepMs, recalled);
      // What is not there may be hidden from this user: who pushes it reads it there, and nowhere else.
      const unseen = undecided.includes(name) && recalled === 0 && may.includes('push');
      const pulls = recalled > 0 || unseen;
      const actions = one.onAuthority.actions.filter((action) => may.includes(action) || (pulls && action === 'pull'));
      return actions.length > 0 ? [{ ...one, actions, unseen, previouslyGranted: recalled > 0 }] : [];
    });
    const lasts = (expiresIn ?? Number.POSITIVE_INFINITY) * 1000;
    const lifetime = Math.min(this.#options.lifetime, lasts, Math.max(keepMs, MIN_LIFETIME_MS));
    return this.#grant(login, request, access, { authorization, others, lifetime });
  }

  /** The authority cannot be asked: exactly what it let this very user pull within the time that it is remembered. */
  #recalled(
    login: Login,
    request: TokenRequest,
    wanted: readonly Wanted[],
    detail: string,
  ): Promise<TokenGrant> | TokenRefusal {
    const { grants } = this.#options;
    const holder = this.#holder(login);
    let left = grants.knows(holder);
    if (left === 0) return { refused: 'unavailable', detail };
    const access = wanted.flatMap((one) => {
      const mine = one.scope.type === 'repository' ? grants.recalls(holder, one.onAuthority.name) : 0;
      if (mine === 0 || !one.onAuthority.actions.includes('pull')) return [];
      left = Math.min(left, mine);
      return [{ ...one, actions: ['pull'] }];
    });
    if (wanted.length > 0 && access.length === 0) return { refused: 'unavailable', detail };
    const lifetime = Math.min(this.#options.lifetime, OUTAGE_MS, left);
    const outage = { grant: 'remembered', detail } as const;
    const authorityUnreachable = wanted.some(({ onAuthority }) => onAuthority.actions.includes('push'));
    return this.#grant(login, request, access, { authorization: undefined, lifetime, outage, authorityUnreachable });
  }

  async #grant(
    login: Login,
    { offline }: TokenRequest,
    access: readonly Given[],
    { authorization, others = {}, lifetime, outage, authorityUnreachable = false }: Opening,
  ): Promise<TokenGrant> {
    const { box, service, refreshLifetime } = this.#options;
    const { user } = login;
    const issued = this.#now();
    const claims = { user, service, issued, basis: this.#options.mark.text };
    const token = await box.seal({
      ...claims,
      use: 'access',
      access: access.map(({ scope, place, actions }) => ({ ...scope, name: place.key, actions })),
      expires: issued + lifetime,
      upstream: authorization,
      ...(authorityUnreachable ? { authorityUnreachable } : {}),
      unseen: access.flatMap(({ place, unseen }) => (unseen ? [place.key] : [])),
      previouslyGranted: access.flatMap(({ place, previouslyGranted }) => (previouslyGranted ? [place.key] : [])),
      upstreams: access.flatMap(({ place, onAuthority }) => {
        const own = others[onAuthority.name];
        return own === undefined ? [] : [[place.key, own] as const];
      }),
    });
    const refreshToken = offline
      ? await box.seal({
          ...claims,
          use: 'refresh',
          access: [],
          expires: issued + refreshLifetime,
          secret: login.password,
        })
      : undefined;
    const scope = mergeScopes(access.map(({ scope: asked, actions }) => ({ ...asked, actions })))
      .map(formatScope)
      .join(' ');
    return { user, token, refreshToken, expiresIn: Math.floor(lifetime / 1000), issued, scope, outage };
  }

  #holder({ user, password }: Login): Holder {
    return { authority: this.#options.authority, user, password };
  }

  async #loginIn(token: string): Promise<Login | undefined> {
    const opened = await this.#options.box.open(token);
    if (!('claims' in opened)) return undefined;
    const { use, service, user, secret, basis } = opened.claims;
    const fits = use === 'refresh' && service === this.#options.service && this.#options.mark.fits(basis ?? '');
    return fits && user !== undefined && secret !== undefined ? { user, password: secret } : undefined;
  }
}

function basicOf({ user, password }: Login): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
