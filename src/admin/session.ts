import { hkdfSync } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';

const COOKIE = 'breakwater_admin';
const LIFETIME_S = 12 * 3600;
const INFO = 'breakwater admin session 1';
/** The clocks of a pair may differ by so many seconds. */
const SKEW_S = 60;
/** Cookies with this name that are checked. Sites on other ports of the host can set more, and each one costs a signature. */
const MAX_CANDIDATES = 3;

/**
 * Sessions of browsers. The cookie holds a JWT with an end, signed with a key that is derived from the token. Every edge with the same
 * token accepts the session, also after a restart. A new token ends all sessions.
 */
export class Sessions {
  readonly #key: Uint8Array;
  readonly #now: () => number;

  /** @param token of `adminTokenFile` @param now epoch milliseconds */
  constructor(token: string, now: () => number = Date.now) {
    this.#key = new Uint8Array(hkdfSync('sha256', token, '', INFO, 32));
    this.#now = now;
  }

  /** The Set-Cookie header of a new session. @param secure the browser came by https */
  async start(secure: boolean): Promise<string> {
    const expires = Math.floor(this.#now() / 1000) + LIFETIME_S;
    const jwt = await new SignJWT().setProtectedHeader({ alg: 'HS256' }).setExpirationTime(expires).sign(this.#key);
    return setCookie(jwt, LIFETIME_S, secure);
  }

  /** Whether a Cookie header holds a session that has not ended. */
  async isIn(header: string | undefined): Promise<boolean> {
    const checks = { algorithms: ['HS256'], requiredClaims: ['exp'], clockTolerance: SKEW_S };
    const currentDate = new Date(this.#now());
    const verified = valuesIn(header ?? '').map((jwt) => jwtVerify(jwt, this.#key, { ...checks, currentDate }));
    return (await Promise.allSettled(verified)).some(({ status }) => status === 'fulfilled');
  }
}

/** The Set-Cookie header that ends a session in this browser. */
export function endSession(secure: boolean): string {
  return setCookie('', 0, secure);
}

function setCookie(value: string, maxAge: number, secure: boolean): string {
  const attributes = `Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Strict`;
  return `${COOKIE}=${value}; ${attributes}${secure ? '; Secure' : ''}`;
}

function valuesIn(header: string): string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE}=`))
    .slice(0, MAX_CANDIDATES)
    .map((pair) => pair.slice(COOKIE.length + 1));
}
