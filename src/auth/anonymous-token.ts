import { formatScope, type Scope } from '../oci/scope.ts';
import type { Place } from './place.ts';
import type { TokenBox } from './token-box.ts';
import type { TokenGrant } from './tokens.ts';

export interface AnonymousTokenOptions {
  box: TokenBox;
  /** Name of the service that tokens are for. */
  service: string;
  /** Every registry's repository of that name that a route leads to. */
  places: (repository: string) => readonly Place[];
  /** Milliseconds. */
  lifetime: number;
}

/** A token for nobody in particular: it opens for pulls what networks without credentials may pull, in these networks. */
export async function anonymousToken(
  { box, service, places, lifetime }: AnonymousTokenOptions,
  scopes: readonly Scope[],
  now: number,
): Promise<TokenGrant> {
  const open = scopes
    .filter(({ type, actions }) => type === 'repository' && (actions.includes('pull') || actions.includes('*')))
    .map((scope) => ({ scope, places: places(scope.name).filter(({ anonymous }) => anonymous) }))
    .filter((one) => one.places.length > 0);
  const access = open.flatMap((one) =>
    one.places.map(({ key }) => ({ type: 'repository', name: key, actions: ['pull'] })),
  );
  const token = await box.seal({
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
