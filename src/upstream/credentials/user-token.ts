import { parseScope, type Scope } from '../../oci/scope.ts';
import { UpstreamError } from '../upstream-error.ts';

/** What a token service gave a user. */
export interface UserToken {
  authorization: string;
  /** Seconds. */
  expiresIn: number;
  /** What it says that it opens; undefined: it is opaque. */
  told: Scope[] | undefined;
}

const MIN_SECONDS = 60;

/** Reads the reply of a token service (Docker token protocol). @throws UpstreamError `malformed` */
export function readUserToken(reply: unknown): UserToken {
  const fields: Record<string, unknown> = typeof reply === 'object' && reply !== null ? { ...reply } : {};
  const token = fields.token ?? fields.access_token;
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new UpstreamError('malformed', 'the token service sent no token');
  const expiresIn = typeof fields.expires_in === 'number' ? Math.max(fields.expires_in, MIN_SECONDS) : MIN_SECONDS;
  return { authorization: `Bearer ${token}`, expiresIn, told: accessIn(token) };
}

/** What a JWT says that it opens; undefined for other tokens. It came from its issuer, so that its signature needs no proof here. */
function accessIn(token: string): Scope[] | undefined {
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
