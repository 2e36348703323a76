import { parseScope, type Scope } from '../../oci/scope.ts';
import { readToken } from './token-service.ts';

/** What a token service gave a user. */
export interface UserToken {
  authorization: string;
  /** Seconds. */
  expiresIn: number;
  /** What it says that it opens; undefined: it is opaque. */
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

/** What a JWT says that it opens; undefined for other tokens. It came from its issuer, so that its signature needs no proof here. */
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
