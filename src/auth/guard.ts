import type { Action } from '../config/access-rule.ts';
import type { Scope } from '../oci/scope.ts';
import type { Caller } from './caller.ts';
import type { RepositoryKey } from './repository-key.ts';
import type { Claims, OpenedToken, TokenSealer } from './token-sealer.ts';

/** The actions of one request on one repository. */
export interface RequestedActions {
  repositoryKey: RepositoryKey;
  /** The name that the client used, for the challenge. */
  repository: string;
  actions: readonly Action[];
}

/** `any-user`: any user that is logged in. */
export type Requirement = { requested: readonly RequestedActions[] } | 'any-user';

/** The request may be made. */
export interface Allowed {
  /** Undefined: an anonymous client. */
  user: string | undefined;
  /** The user's own Authorization for the authority. */
  upstream?: string;
  /** The token is good for a push to this repository: an answer to a read decides what is pushed. */
  forPush?: true;
  /** The token would be good for a push, but the authority could not be reached when it was made. */
  authorityUnreachable?: true;
  /** Only the authority may answer, because it may be hiding the repository from this user. */
  authorityOnly?: true;
  /** The authority let this user read the repository before: while it is well, its word is final. */
  previouslyGranted?: true;
}

export type Permit =
  | Allowed
  | { refused: 'no-token' | 'invalid_token' }
  | { refused: 'insufficient_scope'; user: string | undefined; upstream?: string; authorityUnreachable?: true };

type PermitMarks = Pick<Allowed, 'forPush' | 'authorityUnreachable' | 'authorityOnly' | 'previouslyGranted'>;

/** Decisions that are made at each request, whatever the token says. */
export interface AccessPolicy {
  /** Whether a token with this basis is still valid for the user. */
  acceptsBasis(user: string, basis: string): boolean;
  allows(user: string, key: RepositoryKey, action: Action): boolean;
}

/** Decides whether a request's token opens what the request needs. The user's current rights count, not only the token. */
export class Guard {
  readonly #policy: AccessPolicy;
  readonly #sealer: TokenSealer;
  readonly #service: string;

  /** @param service only tokens for this service are accepted */
  constructor(policy: AccessPolicy, sealer: TokenSealer, service: string) {
    this.#policy = policy;
    this.#sealer = sealer;
    this.#service = service;
  }

  /** @param authorization the header. A token that was opened before is decided without a promise. */
  check(authorization: string | undefined, requirement: Requirement, caller: Caller): Permit | Promise<Permit> {
    if (authorization === undefined)
      return allowsAnonymous(requirement, caller) ? { user: undefined } : { refused: 'no-token' };
    // The token is looked up or decrypted, so no regular expression has to check kilobytes first.
    const [scheme, token] = [authorization.slice(0, 7).toLowerCase(), authorization.slice(7).trim()];
    if (scheme !== 'bearer ' || token === '') return { refused: 'invalid_token' };
    const known = this.#sealer.peekOpened(token);
    if (known) return this.#decide(known, requirement, caller);
    return this.#sealer.open(token).then((opened) => this.#decide(opened, requirement, caller));
  }

  #decide(opened: OpenedToken, requirement: Requirement, caller: Caller): Permit {
    if ('refused' in opened || !this.#acceptsClaims(opened.claims)) return { refused: 'invalid_token' };
    const { user, access } = opened.claims;
    if (user === undefined) return decideAnonymous(opened.claims, requirement, caller);
    const upstream = authorizationFor(opened.claims, requirement);
    const who = upstream === undefined ? { user } : { user, upstream };
    const allowed = (one: RequestedActions) =>
      covers(access, one) && one.actions.every((action) => this.#policy.allows(user, one.repositoryKey, action));
    if (requirement === 'any-user') return who;
    if (requirement.requested.every(allowed))
      return { ...who, ...permitMarks(opened.claims, requirement.requested, allowsAnonymous(requirement, caller)) };
    // A logged-in user may do whatever an anonymous client may; the authority's token is not used for that.
    if (allowsAnonymous(requirement, caller)) return { user };
    const { authorityUnreachable } = opened.claims;
    return { refused: 'insufficient_scope', ...who, ...(authorityUnreachable ? { authorityUnreachable } : {}) };
  }

  #acceptsClaims({ use, service, user, basis }: Claims): boolean {
    if (use !== 'access' || service !== this.#service) return false;
    return basis === undefined ? user === undefined : this.#policy.acceptsBasis(user ?? '', basis);
  }
}

/** A token without a user was given by the authority, or, without a basis, to a network that needs no login. */
function decideAnonymous(claims: Claims, requirement: Requirement, caller: Caller): Permit {
  const { access, basis } = claims;
  const refused = { refused: 'insufficient_scope', user: undefined } as const;
  if (requirement === 'any-user') return refused;
  const { requested } = requirement;
  if (!requested.every((one) => isPull(one) && covers(access, one))) return refused;
  if (basis === undefined) return caller.anonymous && requested.every(isAnonymousPull) ? { user: undefined } : refused;
  const upstream = authorizationFor(claims, requirement);
  const marks = permitMarks(claims, requested, allowsAnonymous(requirement, caller));
  return { user: undefined, ...(upstream === undefined ? {} : { upstream }), ...marks };
}

/** For a mount: the Authorization for the repository that is written to. */
function authorizationFor(
  { upstream, upstreams = [], catalogAuthorization }: Claims,
  requirement: Requirement,
): string | undefined {
  if (requirement === 'any-user') return catalogAuthorization ?? upstream;
  const name = requirement.requested[0]?.repositoryKey.tokenName;
  return upstreams.find(([tokenName]) => tokenName === name)?.[1] ?? upstream;
}

/** @param anonymous whether an anonymous client may do the same */
function permitMarks(claims: Claims, requested: readonly RequestedActions[], anonymous: boolean): PermitMarks {
  const { access, authorityUnreachable, authorityOnly = [], previouslyGranted = [] } = claims;
  const concerns = (names: readonly string[]) =>
    !anonymous && requested.some(({ repositoryKey }) => names.includes(repositoryKey.tokenName));
  const forPush = requested.some((one) => covers(access, asPush(one)));
  return {
    ...(forPush ? { forPush } : authorityUnreachable ? { authorityUnreachable } : {}),
    ...(concerns(authorityOnly) ? { authorityOnly: true } : {}),
    ...(concerns(previouslyGranted) ? { previouslyGranted: true } : {}),
  };
}

function allowsAnonymous(requirement: Requirement, caller: Caller): boolean {
  return (
    caller.anonymous &&
    requirement !== 'any-user' &&
    requirement.requested.length > 0 &&
    requirement.requested.every(isAnonymousPull)
  );
}

function isAnonymousPull(one: RequestedActions): boolean {
  return one.repositoryKey.anonymous && isPull(one);
}

function isPull({ actions }: RequestedActions): boolean {
  return actions.every((action) => action === 'pull');
}

function asPush(one: RequestedActions): RequestedActions {
  return { ...one, actions: ['push'] };
}

function covers(access: readonly Scope[], { repositoryKey, actions }: RequestedActions): boolean {
  return actions.every((action) =>
    access.some(
      (scope) =>
        scope.type === 'repository' && scope.name === repositoryKey.tokenName && scope.actions.includes(action),
    ),
  );
}
