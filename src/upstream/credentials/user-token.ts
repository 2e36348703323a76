import { parseScope, type Scope } from '../../oci/scope.ts';

/** What a JWT of a token service says. */
export interface UserToken {
  /** The name of the user; undefined: the token was given to no user. */
  subject: string | undefined;
  access: Scope[];
  /** Seconds from its making to its end; undefined: the token does not say. */
  lifetime: number | undefined;
}

/**
 * Reads a JWT; undefined for other tokens. The token comes straight from its issuer, so its signature is not checked. What is not of the
 * right type counts as missing.
 */
export function readUserToken(token: string): UserToken | undefined {
  const parts = token.split('.');
  if (parts.length !== 3 || !isObject(parseJson(parts[0]))) return undefined;
  const claims = parseJson(parts[1]);
  if (!isObject(claims)) return undefined;
  const { access = null, sub, iat, exp } = claims;
  if (access !== null && !Array.isArray(access)) return undefined;
  return {
    subject: typeof sub === 'string' && sub.trim() !== '' ? sub : undefined,
    access: (access ?? []).flatMap(scopeOf),
    // Both times are of the issuer's clock.
    lifetime: typeof iat === 'number' && typeof exp === 'number' ? Math.max(0, exp - iat) : undefined,
  };
}

function scopeOf(entry: unknown): Scope[] {
  if (!isObject(entry)) return [];
  const { type, name, actions } = entry;
  if (typeof type !== 'string' || typeof name !== 'string' || !Array.isArray(actions)) return [];
  const named = actions.filter((action) => typeof action === 'string');
  const scope = parseScope(`${type}:${name}:${named.join(',')}`);
  return scope ? [scope] : [];
}

function parseJson(part: string | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(part ?? '', 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
