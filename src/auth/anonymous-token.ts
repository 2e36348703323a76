import { formatScope, type Scope } from '../oci/scope.ts';
import type { RepositoryKey } from './repository-key.ts';
import type { TokenGrant } from './token-issuer.ts';
import type { TokenSealer } from './token-sealer.ts';

export interface AnonymousTokenOptions {
  sealer: TokenSealer;
  /** Service name in the tokens. */
  service: string;
  /** All repositories of this name that a route leads to, one for each registry. */
  repositoryKeys: (repository: string) => readonly RepositoryKey[];
  /** Milliseconds. */
  lifetime: number;
}

/** Issues a token without a user. Inside the networks of `auth.anonymous` the token opens pulls of anonymous routes. */
export async function issueAnonymousToken(
  { sealer, service, repositoryKeys, lifetime }: AnonymousTokenOptions,
  scopes: readonly Scope[],
  now: number,
): Promise<TokenGrant> {
  const open = scopes
    .filter(({ type, actions }) => type === 'repository' && (actions.includes('pull') || actions.includes('*')))
    .map((scope) => ({ scope, places: repositoryKeys(scope.name).filter(({ anonymous }) => anonymous) }))
    .filter((one) => one.places.length > 0);
  const access = open.flatMap((one) =>
    one.places.map(({ tokenName }) => ({ type: 'repository', name: tokenName, actions: ['pull'] })),
  );
  const token = await sealer.seal({
    use: 'access',
    user: undefined,
    service,
    issued: now,
    access,
    expires: now + lifetime,
  });
  const scope = open.map((one) => formatScope({ ...one.scope, actions: ['pull'] })).join(' ');
  return {
    user: undefined,
    token,
    refreshToken: undefined,
    expiresIn: Math.floor(lifetime / 1000),
    issued: now,
    scope,
  };
}
