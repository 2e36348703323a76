import type { Caller } from '../../auth/caller.ts';
import type { Requirement } from '../../auth/guard.ts';
import type { TokenGrant } from '../../auth/token-issuer.ts';
import { type Credentials, parseBasic, parseBearer, type TokenRequest } from '../../auth/token-request.ts';
import { OciError } from '../../oci/error.ts';
import type { Scope } from '../../oci/scope.ts';
import type { Exchange } from '../exchange.ts';
import type { Access } from './access.ts';
import { nameForLog } from './client-claims.ts';

/** `wrong`: another name or password could help; the text says why, if they are not simply wrong. */
type LoginAnswer = TokenGrant | { wrong: string | undefined };

export function callerOf({ client }: Exchange, { anonymous }: Access): Caller {
  return { address: client, anonymous: anonymous.has(client) };
}

/** Asks the edge's own token service. @throws OciError if the login cannot be decided now */
export async function logIn(exchange: Exchange, access: Access, request: TokenRequest): Promise<LoginAnswer> {
  const tried = request.credentials.kind === 'password' ? nameForLog(request.credentials) : undefined;
  if (tried !== undefined) exchange.notes.authorize.tried = tried;
  const grant = await access.tokens.issue(request, callerOf(exchange, access));
  if (!('refused' in grant)) {
    noteOutage(exchange, grant);
    return grant;
  }
  if (grant.refused === 'wait')
    throw new OciError('TOOMANYREQUESTS', 'too many wrong passwords; wait before the next try', {
      retryAfter: Math.ceil(grant.waitMs / 1000),
    });
  if (grant.refused === 'unavailable')
    throw new OciError('UNAVAILABLE', `logins cannot be checked now: ${grant.detail}; try again`);
  return { wrong: grant.refused === 'idle' ? grant.detail : undefined };
}

/** Notes a token that the edge issued on its own responsibility. */
function noteOutage({ notes }: Exchange, { outage, scope }: TokenGrant): void {
  if (!outage) return;
  notes.authorize.grant = outage.grant;
  notes.authorize.granted = scope;
  notes.fetch.detail = outage.detail;
}

/**
 * The Authorization by which a request is decided. A client that sends its name and password with the request itself, as `curl -u` does, is
 * logged in for this request. So is one that sends a JWT of `auth.issuers`.
 * @throws OciError if the login cannot be decided now
 */
export async function requestAuthorization(
  exchange: Exchange,
  access: Access,
  requirement: Requirement,
): Promise<string | undefined> {
  const { authorization } = exchange.headers;
  const credentials = authorization === undefined ? undefined : credentialsIn(authorization, access);
  if (!credentials) return authorization;
  const request = { credentials, scopes: scopesOf(requirement), service: access.service, wantsRefreshToken: false };
  const grant = await logIn(exchange, access, request);
  return 'wrong' in grant ? authorization : `Bearer ${grant.token}`;
}

function credentialsIn(authorization: string, { takesJwt }: Access): Credentials | undefined {
  if (/^basic /i.test(authorization)) return parseBasic(authorization);
  const bearer = takesJwt ? parseBearer(authorization) : undefined;
  return bearer && takesJwt?.(bearer.token) ? bearer : undefined;
}

function scopesOf(requirement: Requirement): Scope[] {
  if (requirement === 'any-user') return [{ type: 'registry', name: 'catalog', actions: ['*'] }];
  return requirement.requested.map(({ repository, actions }) => ({
    type: 'repository',
    name: repository,
    actions: [...actions],
  }));
}
