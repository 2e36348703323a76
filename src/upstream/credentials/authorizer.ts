import NodeCache from 'node-cache';
import type { CredentialsConfig } from '../../config/schema.ts';
import { type Challenge, parseChallenges } from '../../oci/challenge.ts';
import { UpstreamError } from '../upstream-error.ts';
import { type Token, tokenServiceUrl } from './token-service.ts';

/** What the edge itself holds for an upstream. */
export interface StaticUser {
  username: string;
  password: string;
  /** Further hosts whose token service may be given the password. */
  realmHosts: readonly string[];
}

/** Asks a token service. @param authorization of the static user, if there is one */
export type FetchToken = (realm: URL, authorization: string | undefined) => Promise<Token>;

interface CachedToken {
  value: string;
  refreshAt: number;
}

const MAX_TOKENS = 5000;
const REFRESH_SHARE = 0.75;
const EXPIRY_MARGIN_SECONDS = 10;

/**
 * The edge's own way of authenticating to one upstream: Basic, or the Bearer token flow (docker token protocol) with a static user
 * or anonymously. What the upstream wants is learnt from its challenges. Tokens are kept by scope and refreshed early.
 */
export class Authorizer {
  readonly #upstream: URL;
  readonly #user: StaticUser | undefined;
  readonly #fetchToken: FetchToken;
  readonly #tokens = new NodeCache({ useClones: false, maxKeys: MAX_TOKENS, checkperiod: 120 });
  readonly #pending = new Map<string, Promise<string>>();
  #challenge: Challenge | undefined;
  #lastTokenAt = Number.NEGATIVE_INFINITY;

  constructor(upstream: URL, user: StaticUser | undefined, fetchToken: FetchToken) {
    this.#upstream = upstream;
    this.#user = user;
    this.#fetchToken = fetchToken;
  }

  /** Whether there is no user to ask for. */
  get anonymous(): boolean {
    return this.#user === undefined;
  }

  /** When a token was given for a request; epoch milliseconds. */
  get lastTokenAt(): number {
    return this.#lastTokenAt;
  }

  /** Whether it is known how the upstream wants to be asked. */
  get knowsChallenge(): boolean {
    return this.#challenge !== undefined;
  }

  /**
   * The Authorization for a request, as far as it is known.
   * @param scopes in the upstream's names
   * @throws UpstreamError credentials, or whatever the token service failed with
   */
  async authorization(scopes: readonly string[]): Promise<string | undefined> {
    if (this.#challenge?.scheme === 'basic') return this.basic();
    if (this.#challenge?.scheme !== 'bearer') return undefined;
    return `Bearer ${await this.#cachedOrNew(this.#challenge, scopes)}`;
  }

  /**
   * Learns from a 401. Whether another try can help.
   * @param sent the Authorization that was refused
   */
  learnChallenge(wwwAuthenticate: string | undefined, sent: string | undefined, scopes: readonly string[]): boolean {
    const chosen = this.#chooseChallenge(wwwAuthenticate);
    if (!chosen) return false;
    this.#challenge = chosen;
    if (sent === undefined) return true;
    if (chosen.scheme === 'basic') return !sent.startsWith('Basic ');
    // The token was good once: it may have been revoked, or its key changed. Only the very one that was refused goes: another
    // request may have fetched its successor meanwhile.
    const key = tokenKey(chosen, scopes);
    if (sent === `Bearer ${this.#tokens.get<CachedToken>(key)?.value}`) this.#tokens.del(key);
    return true;
  }

  /**
   * What a 401 asks for, made anew and kept by nobody: a token of before would not tell whether its user is still taken.
   * @throws UpstreamError as `authorization`
   */
  async freshAuthorization(wwwAuthenticate: string | undefined): Promise<string | undefined> {
    const chosen = this.#chooseChallenge(wwwAuthenticate);
    if (chosen?.scheme !== 'bearer') return chosen && this.basic();
    const { scope = '' } = chosen.parameters;
    return `Bearer ${(await this.#requestToken(chosen, scope === '' ? [] : [scope])).value}`;
  }

  /** Throws the token for these scopes away. */
  discardToken(scopes: readonly string[]): void {
    if (this.#challenge) this.#tokens.del(tokenKey(this.#challenge, scopes));
  }

  close(): void {
    this.#tokens.close();
  }

  /** The static user's own, for what is no registry API and takes no tokens. */
  basic(): string | undefined {
    if (!this.#user) return undefined;
    return `Basic ${Buffer.from(`${this.#user.username}:${this.#user.password}`).toString('base64')}`;
  }

  #chooseChallenge(wwwAuthenticate: string | undefined): Challenge | undefined {
    const challenges = parseChallenges(wwwAuthenticate);
    const bearer = challenges.find((one) => one.scheme === 'bearer' && one.parameters.realm !== undefined);
    return bearer ?? (this.#user ? challenges.find((one) => one.scheme === 'basic') : undefined);
  }

  async #cachedOrNew(challenge: Challenge, scopes: readonly string[]): Promise<string> {
    const key = tokenKey(challenge, scopes);
    const cached = this.#tokens.get<CachedToken>(key);
    if (cached && Date.now() < cached.refreshAt) return cached.value;
    const fetching = this.#pending.get(key) ?? this.#renew(key, challenge, scopes);
    if (!cached) return fetching;
    // Still valid: refreshed beside the request; if that fails, the next request tries again.
    fetching.catch(() => cached);
    return cached.value;
  }

  #renew(key: string, challenge: Challenge, scopes: readonly string[]): Promise<string> {
    const renewed = this.#requestToken(challenge, scopes)
      .then(
        (token) => {
          this.#lastTokenAt = Date.now();
          this.#cacheToken(key, token);
          return token.value;
        },
        (error: unknown) => {
          // The token service may have moved: a request without a token brings the challenge that tells where to.
          if (this.#challenge === challenge) this.#challenge = undefined;
          throw error;
        },
      )
      .finally(() => this.#pending.delete(key));
    this.#pending.set(key, renewed);
    return renewed;
  }

  async #requestToken(challenge: Challenge, scopes: readonly string[]): Promise<Token> {
    try {
      return await this.#askTokenService(challenge, scopes);
    } catch (error) {
      // Artifact Registry takes one scope at a time. The first is what is read or written; without the others a mount becomes an upload.
      if (scopes.length < 2 || !(error instanceof UpstreamError) || error.status !== 400) throw error;
      return this.#askTokenService(challenge, scopes.slice(0, 1));
    }
  }

  async #askTokenService(challenge: Challenge, scopes: readonly string[]): Promise<Token> {
    const hosts = this.#user?.realmHosts;
    const rules = { upstream: this.#upstream, hosts, key: 'realmHosts', failure: 'credentials' } as const;
    const realm = tokenServiceUrl(challenge, rules);
    for (const scope of scopes) realm.searchParams.append('scope', scope);
    return this.#fetchToken(realm, this.basic());
  }

  #cacheToken(key: string, { value, expiresIn }: Token): void {
    const lifetime = Math.max(expiresIn - EXPIRY_MARGIN_SECONDS, 1);
    // node-cache throws when it is full instead of making room.
    if (this.#tokens.keys().length >= MAX_TOKENS) this.#tokens.flushAll();
    this.#tokens.set<CachedToken>(key, { value, refreshAt: Date.now() + lifetime * 1000 * REFRESH_SHARE }, lifetime);
  }
}

function tokenKey(challenge: Challenge, scopes: readonly string[]): string {
  return [challenge.parameters.realm, challenge.parameters.service, ...scopes].join(' ');
}

/** Whom credentials name; undefined: nobody in particular. @param password content of their file */
export function staticUser(credentials: CredentialsConfig, password: string | undefined): StaticUser | undefined {
  if (typeof credentials === 'string') return undefined;
  return { username: credentials.username, password: password ?? '', realmHosts: credentials.realmHosts };
}
