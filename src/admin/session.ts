import { hkdfSync } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { type ClockReading, readClocks } from '../clock/clock.ts';

const COOKIE = 'breakwater_admin';
const LIFETIME_S = 12 * 3600;
const INFO = 'breakwater admin session 1';
/** The clocks of a pair may differ by so many seconds. */
const SKEW_S = 60;
/** Cookies with this name that are checked. Sites on other ports of the host can set more, and each one costs a signature. */
const MAX_CANDIDATES = 3;
const MAX_KNOWN = 100;

/**
 * Sessions of browsers. The cookie holds a JWT with an end, signed with a key that is derived from the token. Every edge with the same
 * token accepts the session, also after a restart. A new token ends all sessions.
 *
 * The end in the cookie is wall time. A session that was shown once ends by the monotonic clock, whatever happens to the host's.
 */
export class Sessions {
  readonly #key: Uint8Array;
  readonly #clocks: () => ClockReading;
  /** The ends of sessions by their JWT; monotonic milliseconds. */
  readonly #known = new LRUCache<string, number>({ maxSize: MAX_KNOWN, sizeCalculation: () => 1 });

  /** @param token of `adminTokenFile` */
  constructor(token: string, clocks: () => ClockReading = readClocks) {
    this.#key = new Uint8Array(hkdfSync('sha256', token, '', INFO, 32));
    this.#clocks = clocks;
  }

  /** The Set-Cookie header of a new session. @param secure the browser came by https */
  async start(secure: boolean): Promise<string> {
    const expires = Math.floor(this.#clocks().wall / 1000) + LIFETIME_S;
    const jwt = await new SignJWT().setProtectedHeader({ alg: 'HS256' }).setExpirationTime(expires).sign(this.#key);
    return setCookie(jwt, LIFETIME_S, secure);
  }

  /** Whether a Cookie header holds a session that has not ended. */
  async isIn(header: string | undefined): Promise<boolean> {
    const checked = valuesIn(header ?? '').map((jwt) => this.#isCurrent(jwt));
    return (await Promise.allSettled(checked)).some((one) => one.status === 'fulfilled' && one.value);
  }

  /** @throws an error of jose for what is no session, or has ended */
  async #isCurrent(jwt: string): Promise<boolean> {
    const { monotonic, wall } = this.#clocks();
    const known = this.#known.get(jwt);
    if (known !== undefined) return monotonic <= known;
    const checks = { algorithms: ['HS256'], requiredClaims: ['exp'], clockTolerance: SKEW_S };
    const { payload } = await jwtVerify(jwt, this.#key, { ...checks, currentDate: new Date(wall) });
    const leftS = (payload.exp ?? 0) - wall / 1000;
    // A clock that was set back must not make a session last for days.
    if (leftS > 2 * LIFETIME_S) return false;
    this.#known.set(jwt, monotonic + (Math.min(leftS, LIFETIME_S) + SKEW_S) * 1000);
    return true;
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
