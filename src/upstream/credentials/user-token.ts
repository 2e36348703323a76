import { parseScope, type Scope } from '../../oci/scope.ts';

/**
 * The scopes in a JWT; undefined for other tokens. The token comes straight from its issuer, so its signature is not
 * checked.
 */
export function accessOf(token: string): Scope[] | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const { access }: { access?: unknown } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (access === null || access === undefined) return [];
    if (!Array.isArray(access)) return undefined;
    return access.flatMap(({ type, name, actions }) =>
      typeof type === 'string' && typeof name === 'string' && Array.isArray(actions)
        ? (parseScope(`${type}:${name}:${actions.join(',')}`) ?? [])
        : [],
    );
  } catch {
    return undefined;
  }
}
