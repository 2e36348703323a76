import { createLocalJWKSet, type JWK, type JWTVerifyGetKey } from 'jose';
import { monotonicNow } from '../../clock/clock.ts';
import { inBackground } from '../../http/background.ts';
import { dropBody } from '../body/explanatory-body.ts';
import { readJson } from '../body/read-body.ts';
import { Client } from '../client.ts';
import type { Resolver } from '../resolver.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';

/** Signatures that only the issuer can make. With HS*, who can verify can also sign; `none` is no signature. */
export const SIGNATURES = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** What a key signs with that does not say it. */
const USUAL: Record<string, string> = {
  RSA: 'RS256',
  'P-256': 'ES256',
  'P-384': 'ES384',
  'P-521': 'ES512',
  Ed25519: 'EdDSA',
};
const KEY_TYPES = new Set(['RSA', 'EC', 'OKP']);
const MAX_BYTES = 262_144;
const MAX_KEYS = 100;
const FETCH_MS = 5000;
const CONNECT_MS = 2000;
/** Keys are fetched again after this time. */
const REFRESH_MS = 300_000;
/** Least time between two fetches, whatever tokens clients show. */
const COOLDOWN_MS = 30_000;

export interface IssuerKeysOptions {
  /** Gets the JSON Web Key Set. */
  fetch: () => Promise<unknown>;
  /** Called when the keys cannot be fetched any more (why), and when they can be again (undefined). */
  onChange?: (failure: string | undefined) => void;
  /** Monotonic milliseconds. */
  now?: () => number;
}

/** The public keys of an issuer of JWTs (RFC 7517). They are kept while the issuer cannot be reached. */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  readonly #now: () => number;
  #keys: JWTVerifyGetKey | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #pending: Promise<boolean> | undefined;
  #failure: string | undefined;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonicNow;
  }

  /** The keys as they were fetched last. Undefined: they never could be. */
  async current(): Promise<JWTVerifyGetKey | undefined> {
    if (!this.#keys) await this.#renew();
    else if (this.#now() - this.#fetchedAt >= REFRESH_MS) this.prefetch();
    return this.#keys;
  }

  /** The keys as they are now, for a token whose key is unknown. Undefined: they cannot be fetched now, or were just fetched. */
  async renewed(): Promise<JWTVerifyGetKey | undefined> {
    return (await this.#renew()) ? this.#keys : undefined;
  }

  /** Fetches the keys before they are needed. */
  readonly prefetch = (): void => void inBackground('credentials', () => this.#renew())();

  #renew(): Promise<boolean> {
    if (this.#pending) return this.#pending;
    const now = this.#now();
    if (now - this.#triedAt < COOLDOWN_MS) return Promise.resolve(false);
    this.#triedAt = now;
    this.#pending = this.#fetch(now)
      .then(
        () => undefined,
        (error: unknown) => asUpstreamError(error).message,
      )
      .then((failure) => {
        this.#pending = undefined;
        if ((failure === undefined) !== (this.#failure === undefined)) this.#options.onChange?.(failure);
        this.#failure = failure;
        return failure === undefined;
      });
    return this.#pending;
  }

  /** @throws what kept the keys from being fetched */
  async #fetch(now: number): Promise<void> {
    const keys = usableKeys(await this.#options.fetch());
    if (keys.length === 0) throw new UpstreamError('malformed', 'there is no key that verifies signatures');
    this.#keys = createLocalJWKSet({ keys });
    this.#fetchedAt = now;
  }
}

/** The keys of a set that can verify a signature. Each says with which algorithm, so that no token can choose another one. */
export function usableKeys(set: unknown): JWK[] {
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(keys)) return [];
  return keys.slice(0, MAX_KEYS).flatMap((key: unknown) => {
    const { kty, crv, use, alg = USUAL[crv ?? kty ?? ''], ...rest } = { ...(key as JWK | undefined) };
    const isUsable = KEY_TYPES.has(kty ?? '') && (use ?? 'sig') === 'sig' && SIGNATURES.includes(alg ?? '');
    return isUsable ? [{ ...rest, kty, alg, ...(crv === undefined ? {} : { crv }) } as JWK] : [];
  });
}

/** Fetches a JSON Web Key Set. Redirects are not followed. @throws UpstreamError, or a time-out */
export async function fetchKeySet(url: URL, ca: string | undefined, resolver: Resolver): Promise<unknown> {
  const client = new Client(url, { ca, connectMs: CONNECT_MS, connections: 1, resolver });
  const signal = AbortSignal.timeout(FETCH_MS);
  const headers = { accept: 'application/jwk-set+json, application/json' };
  try {
    const { status, body } = await client.send({ method: 'GET', path: url.pathname + url.search, headers, signal });
    if (status === 200) return await readJson(body, MAX_BYTES);
    await dropBody(body);
    throw new UpstreamError('status-5xx', `${url.host} answers ${status}`);
  } finally {
    await client.destroy();
  }
}
