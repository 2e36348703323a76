import { parseScope, type Scope } from '../../oci/scope.ts';
import { readToken } from './token-service.ts';

/** The token that a token service gave to a user. */
export interface UserToken {
  authorization: string;
  /** Seconds. */
  expiresIn: number;
  /** The scopes that the token says it has; undefined for an opaque token. */
  access: Scope[] | undefined;
}

/**
 * Reads the reply of a token service to a user's question.
 * @param host of the token service, for the error's message
 * @throws UpstreamError malformed
 */
export function readUserToken(reply: unknown, host: string): UserToken {
  const { value, expiresIn } = readToken(reply, host);
  return { authorization: `Bearer ${value}`, expiresIn, access: accessOf(value) };
}

/**
 * The scopes in a JWT; undefined for other tokens. The token comes straight from its issuer, so its signature is not
 * checked.
 */
function accessOf(token: string): Scope[] | undefined {
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
