import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
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
 * What a JWT of such an issuer proves now. `expired`: all is right but the time, which has passed or is still to come. `unknown`: its
 * signature could not be checked. Only a valid one says who its holder is.
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
/** Keys that are tried for one token that names none. */
const MAX_TRIES = 8;
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** A subject goes into logs and tokens like a user name. */
const UNPRINTABLE = /[\x00-\x1f\x7f]/;

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
    const isUsable = subject !== '' && subject.length <= MAX_SUBJECT && !UNPRINTABLE.test(subject);
    if (text.length > MAX_TOKEN || !isUsable) return proof('invalid');
    return proof(await this.#verify(text, settings));
  }

  async #verify(text: string, { issuer, audience, keys }: JwtIssuer): Promise<JwtProof['state']> {
    const known = await keys.current();
    if (!known) return 'unknown';
    const options = {
      ...{ issuer, audience: [...audience], algorithms: SIGNATURES, clockTolerance: SKEW_S },
      ...{ requiredClaims: ['exp', 'sub'], currentDate: new Date(this.#clocks().wall) },
    };
    try {
      await verifyByAny(text, known, options);
      return 'valid';
    } catch (error) {
      if (!mayHaveNewKey(error, text)) return stateOf(error);
    }
    // The issuer may have a new key.
    const renewed = await keys.renewed();
    return renewed ? verifyByAny(text, renewed, options).then(() => 'valid' as const, stateOf) : 'unknown';
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

/** Tries the keys that fit, because a token need not name its key. @throws what jose throws */
async function verifyByAny(text: string, keys: JWTVerifyGetKey, options: JWTVerifyOptions): Promise<void> {
  try {
    await jwtVerify(text, keys, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let left = MAX_TRIES;
    for await (const key of error) {
      if (left === 0) throw error;
      left -= 1;
      const failure: unknown = await jwtVerify(text, key, options).then(
        () => undefined,
        (why: unknown) => why,
      );
      if (failure === undefined) return;
      if (!isWrongKey(failure)) throw failure;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** Whether a key that was fetched now could verify what none of the known keys does. */
function mayHaveNewKey(error: unknown, text: string): boolean {
  if (error instanceof errors.JWKSNoMatchingKey) return true;
  return isWrongKey(error) && decodeProtectedHeader(text).kid === undefined;
}

function isWrongKey(error: unknown): boolean {
  return error instanceof errors.JWSSignatureVerificationFailed;
}

function stateOf(error: unknown): JwtProof['state'] {
  // More keys fit than were tried.
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'unknown';
  const isEarly = error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf';
  const isOutOfTime = isEarly && error.reason === 'check_failed';
  return error instanceof errors.JWTExpired || isOutOfTime ? 'expired' : 'invalid';
}
