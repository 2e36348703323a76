import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { type ClockReading, readClocks } from '../clock/clock.ts';
import { type IssuerKeys, SIGNATURES } from '../upstream/credentials/issuer-keys.ts';

/** An issuer of JWTs that the operator trusts (`auth.issuers`). */
export interface JwtIssuer {
  issuer: string;
  /** One of them must be in `aud`. */
  audience: readonly string[];
  keys: Pick<IssuerKeys, 'current' | 'renewed'>;
}

/**
 * What a JWT of such an issuer proves now. `unknown`: its signature could not be checked. Only a valid one says who its holder is.
 */
export interface JwtProof {
  state: 'valid' | 'expired' | 'invalid' | 'unknown';
  issuer: string;
  subject: string;
  /** Epoch milliseconds, as the token says; undefined: it does not. */
  expires: number | undefined;
}

/** Seconds by which the clock of an issuer may differ. */
const SKEW_S = 30;
const MAX_TOKEN = 16_384;
const MAX_SUBJECT = 512;
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Tells who holds a JWT of a configured issuer. Other passwords and tokens are none of its business. */
export class JwtIssuers {
  readonly #issuers: ReadonlyMap<string, JwtIssuer>;
  readonly #clocks: () => ClockReading;

  constructor(issuers: readonly JwtIssuer[], clocks: () => ClockReading = readClocks) {
    this.#issuers = new Map(issuers.map((one) => [one.issuer, one]));
    this.#clocks = clocks;
  }

  get names(): string[] {
    return [...this.#issuers.keys()];
  }

  /** Whether a text is a JWT that names a configured issuer. It may be forged. */
  claims(text: string): boolean {
    return this.#read(text) !== undefined;
  }

  /** Undefined: it is no JWT that names a configured issuer. */
  async prove(text: string): Promise<JwtProof | undefined> {
    const read = this.#read(text);
    if (!read) return undefined;
    const { settings, payload } = read;
    const { issuer } = settings;
    const { sub, exp } = payload;
    const expires = typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
    const subject = typeof sub === 'string' ? sub : '';
    const proof = (state: JwtProof['state']): JwtProof => ({ state, issuer, subject, expires });
    if (text.length > MAX_TOKEN || subject === '' || subject.length > MAX_SUBJECT) return proof('invalid');
    return proof(await this.#verify(text, settings));
  }

  async #verify(text: string, { issuer, audience, keys }: JwtIssuer): Promise<JwtProof['state']> {
    const known = await keys.current();
    if (!known) return 'unknown';
    const check = async (by: typeof known) => {
      await jwtVerify(text, by, {
        ...{ issuer, audience: [...audience], algorithms: SIGNATURES, clockTolerance: SKEW_S },
        ...{ requiredClaims: ['exp', 'sub'], currentDate: new Date(this.#clocks().wall) },
      });
      return 'valid' as const;
    };
    try {
      return await check(known);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) return stateOf(error);
    }
    // The issuer may have a new key.
    const renewed = await keys.renewed();
    return renewed ? check(renewed).catch(stateOf) : 'unknown';
  }

  #read(text: string): { settings: JwtIssuer; payload: JWTPayload } | undefined {
    if (this.#issuers.size === 0 || !JWT.test(text)) return undefined;
    try {
      const payload = decodeJwt(text);
      const settings = this.#issuers.get(String(payload.iss));
      return settings && { settings, payload };
    } catch {
      return undefined;
    }
  }

  /** Milliseconds for which the token is still good, by what it says; at least a second. */
  leftMs({ expires = Number.POSITIVE_INFINITY }: JwtProof): number {
    return Math.max(1000, expires - this.#clocks().wall);
  }
}

function stateOf(error: unknown): JwtProof['state'] {
  return error instanceof errors.JWTExpired ? 'expired' : 'invalid';
}
