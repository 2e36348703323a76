import { hash } from 'node:crypto';
import type { GrantHolder } from './grants.ts';
import type { JwtProof } from './jwt-issuers.ts';
import type { Login } from './login-throttle.ts';

/** A login, and what its password proves if that is a JWT. */
export interface ProvenLogin extends Login {
  proof?: JwtProof | undefined;
  /** The JWT came without a name, as Bearer. */
  isBearer?: boolean;
}

/** @param token a JWT that came as Bearer */
export function bearerLogin(token: string, proof: JwtProof): ProvenLogin {
  return { user: jwtName(proof.issuer, ''), password: token, proof, isBearer: true };
}

/** Whether the password is a JWT of a configured issuer that proves nothing now. */
export function isUnproven({ proof }: ProvenLogin): boolean {
  return proof !== undefined && proof.state !== 'valid';
}

/** The Authorization that the authority gets. */
export function authorizationOf({ user, password, isBearer }: ProvenLogin): string {
  return isBearer ? `Bearer ${password}` : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/**
 * The name for logs, and for the shares of one client. Beside a JWT, a client may give any name, so that name says nothing. The subject of a
 * JWT counts if its signature is right.
 */
export function nameOf({ user, proof }: ProvenLogin): string {
  if (!proof) return user;
  const isSigned = proof.state === 'valid' || proof.state === 'expired';
  return jwtName(proof.issuer, isSigned ? proof.subject : '');
}

/** The login whose failures are counted together. What proves nothing must not shut out the subject that it names, or that of others. */
export function throttledLogin(login: ProvenLogin): Login {
  return { user: isUnproven(login) ? login.user : nameOf(login), password: authorizationOf(login) };
}

/**
 * Who is remembered. A JWT stands for its subject, so that a new one of the same subject is known. The authority may take it under one name
 * and refuse it under another, or as Bearer, so each of these counts for itself.
 */
export function holderOf({ user, password, proof, isBearer }: ProvenLogin, authority: string): GrantHolder {
  if (proof?.state !== 'valid') return { authority, user, password };
  const form = hash('sha256', isBearer ? 'Bearer' : `Basic ${user}`, 'base64url');
  return { ...subjectHolder(authority, proof.issuer, proof.subject), form };
}

/** The holders that a name can mean, without the password. @param name a user, a subject, or what `nameOf` says */
export function holdersNamed(name: string, authority: string, issuers: readonly string[]): GrantHolder[] {
  const subjects = issuers.map((issuer) => {
    const end = jwtName(issuer, '').slice(JWT.length);
    const isFull = name.startsWith(JWT) && name.endsWith(end);
    return subjectHolder(authority, issuer, isFull ? name.slice(JWT.length, -end.length) : name);
  });
  return [{ authority, user: name, password: '' }, ...subjects];
}

/** No name of a login has a colon. */
const JWT = 'jwt:';

function jwtName(issuer: string, subject: string): string {
  return `${JWT}${subject} (${issuer})`;
}

/** No login by name and password is such a holder. */
function subjectHolder(authority: string, issuer: string, subject: string): GrantHolder {
  return { authority: `${authority} jwt`, user: JSON.stringify([issuer, subject]), password: '' };
}
