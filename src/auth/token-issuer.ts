import { formatScope } from '../oci/scope.ts';
import type { Caller } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { RepositoryKey } from './repository-key.ts';
import type { TokenRequest } from './token-request.ts';
import type { Claims, TokenSealer } from './token-sealer.ts';

export interface TokenGrant {
  user: string | undefined;
  token: string;
  refreshToken: string | undefined;
  /** Seconds. */
  expiresIn: number;
  /** Epoch milliseconds. */
  issued: number;
  /** The granted scopes, separated by spaces. */
  scope: string;
  /** Set if the authority could not be reached. */
  outage?: OutageGrant | undefined;
}

/**
 * The basis of a token during an outage: a remembered grant, or the edge's own break-glass users. `detail`: why the authority could not be
 * reached.
 */
export interface OutageGrant {
  grant: 'remembered' | 'break-glass';
  detail: string;
}

/**
 * `credentials`: wrong or missing. `wait`: too many failed logins. `unavailable`: the authority cannot be reached (`outage`) or cannot tell,
 * so the password is neither right nor wrong. `idle`: right, but not valid now.
 */
export type TokenRefusal =
  | { refused: 'credentials' }
  | { refused: 'wait'; waitMs: number }
  | { refused: 'unavailable' | 'idle'; detail: string; outage?: true };

/** The edge's own token service, one for each `auth.mode`. */
export interface TokenIssuer {
  issue(request: TokenRequest, caller: Caller): Promise<TokenGrant | TokenRefusal>;
}

export interface TokenIssuerOptions<Key extends RepositoryKey = RepositoryKey> {
  sealer: TokenSealer;
  failures: FailureLimit;
  /** Service name in the tokens. */
  service: string;
  /** All repositories of this name that a route leads to, one for each registry. */
  repositoryKeys: (repository: string) => readonly Key[];
  /** Milliseconds. */
  lifetime: number;
}

/** Seals the tokens of a grant. @param refresh the refresh token with its own lifetime, and the login that it stands for, if one is wanted */
export async function sealTokens(
  sealer: TokenSealer,
  claims: Omit<Claims, 'use' | 'issued' | 'expires'>,
  lifetime: number,
  refresh?: { lifetime: number; user?: string; secret?: string },
): Promise<Pick<TokenGrant, 'user' | 'token' | 'refreshToken' | 'expiresIn' | 'issued'>> {
  const { user, service, basis } = claims;
  const issued = sealer.now();
  const token = await sealer.seal({ ...claims, use: 'access', issued, expires: issued + lifetime });
  const remembered = { user: refresh?.user ?? user, service, basis, issued, access: [], secret: refresh?.secret };
  const refreshToken =
    refresh && (await sealer.seal({ ...remembered, use: 'refresh', expires: issued + refresh.lifetime }));
  return { user, token, refreshToken, expiresIn: Math.floor(lifetime / 1000), issued };
}

/** Issues a token without a user. Inside the networks of `auth.anonymous` the token opens pulls of anonymous routes. */
export async function issueAnonymousToken(
  { sealer, service, repositoryKeys, lifetime }: TokenIssuerOptions,
  { scopes }: TokenRequest,
  caller: Caller,
): Promise<TokenGrant | TokenRefusal> {
  if (!caller.anonymous) return { refused: 'credentials' };
  const open = scopes
    .filter(({ type, actions }) => type === 'repository' && (actions.includes('pull') || actions.includes('*')))
    .map((scope) => ({ ...scope, actions: ['pull'], keys: repositoryKeys(scope.name).filter((key) => key.anonymous) }))
    .filter(({ keys }) => keys.length > 0);
  const access = open.flatMap(({ type, actions, keys }) =>
    keys.map(({ tokenName }) => ({ type, name: tokenName, actions })),
  );
  const tokens = await sealTokens(sealer, { user: undefined, service, access }, lifetime);
  return { ...tokens, scope: open.map(formatScope).join(' ') };
}

/** Milliseconds for which a token of an outage lasts: its client has to come back soon after the outage. */
export const OUTAGE_TOKEN_MS = 300_000;

/** Why the authority cannot be reached, in words that clients may see. */
export function outageDetail(error: unknown): string {
  return error instanceof Error && 'summary' in error ? String(error.summary) : 'it does not answer';
}
