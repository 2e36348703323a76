import { LRUCache } from 'lru-cache';
import { monotonicNow } from '../../clock/clock.ts';
import type { Challenge } from '../../oci/challenge.ts';
import type { Reach } from '../allowed-hosts.ts';
import { UpstreamError } from '../upstream-error.ts';
import { basicOf, type Login, type OwnUser } from './own-user.ts';
import { type Token, tokenServiceUrl, usableChallenge } from './token-service.ts';

/** Asks a token service. @param login of the user, if there is one */
export type FetchToken = (realm: URL, login: Login | undefined) => Promise<Token>;

interface CachedToken {
  value: string;
  refreshAt: number;
}

const MAX_TOKENS = 5000;
const REFRESH_SHARE = 0.75;
const EXPIRY_MARGIN_SECONDS = 10;

/**
 * Authenticates Breakwater to one upstream: by Basic, or by the Bearer token flow (Docker token protocol) with a
 * user or anonymously. The upstream's challenges tell which. Tokens are kept by scope and refreshed early.
 */
export class Authorizer {
  readonly #upstream: URL;
  readonly #reach: Reach;
  readonly #user: OwnUser | undefined;
  readonly #fetchToken: FetchToken;
  readonly #tokens = new LRUCache<string, CachedToken>({ maxSize: MAX_TOKENS, sizeCalculation: () => 1 });
  readonly #pending = new Map<string, Promise<string>>();
  #challenge: Challenge | undefined;
  #lastTokenAt = Number.NEGATIVE_INFINITY;

  /** @param reach default: the upstream's own host */
  constructor(
    upstream: URL,
    user: OwnUser | undefined,
    fetchToken: FetchToken,
    reach: Reach = { own: [upstream], hosts: [] },
  ) {
    this.#upstream = upstream;
    this.#reach = reach;
    this.#user = user;
    this.#fetchToken = fetchToken;
  }

  /** Whether there is no user. */
  get anonymous(): boolean {
    return this.#user === undefined;
  }

  get user(): OwnUser | undefined {
    return this.#user;
  }

  /** Time of the last token; monotonic milliseconds. */
  get lastTokenAt(): number {
    return this.#lastTokenAt;
  }

  /** Whether the upstream has sent a challenge. */
  get knowsChallenge(): boolean {
    return this.#challenge !== undefined;
  }

  /**
   * Without a login nothing is sent, not even a request that may need none: its answer would not be the one for this user.
   * @throws UpstreamError credentials
   */
  async ensureLogin(): Promise<void> {
    if (!this.#user) return;
    // Only the first requests after a start can come before the first login. A renewal is never waited for.
    if (this.#user.ready) await this.#user.ready;
    this.#user.login();
  }

  /**
   * The Authorization for a request; undefined before the first challenge.
   * @param scopes in the upstream's names
   * @throws UpstreamError credentials, or the error of the token service
   */
  async authorization(scopes: readonly string[]): Promise<string | undefined> {
    await this.ensureLogin();
    if (this.#challenge?.scheme === 'basic') return this.basic();
    if (this.#challenge?.scheme !== 'bearer') return undefined;
    return `Bearer ${await this.#cachedOrNew(this.#challenge, scopes)}`;
  }

  /**
   * Learns the upstream's challenge from a 401.
   * @param sent the Authorization that was refused
   * @returns whether another try can help
   */
  learnChallenge(wwwAuthenticate: string | undefined, sent: string | undefined, scopes: readonly string[]): boolean {
    const chosen = this.#chooseChallenge(wwwAuthenticate);
    if (!chosen) return false;
    this.#challenge = chosen;
    if (sent === undefined) return true;
    this.noteRefusal(401, sent);
    if (chosen.scheme === 'basic') return !sent.startsWith('Basic ');
    // The token may have been revoked, or its key changed. Only the refused token is discarded: another request may
    // have fetched its successor.
    const key = tokenKey(chosen, scopes);
    if (sent === `Bearer ${this.#tokens.get(key)?.value}`) this.#tokens.delete(key);
    return true;
  }

  /**
   * Notes that a request with this Authorization was refused. A token of the upstream's own may have ended, but Basic credentials are the
   * user's. Elastic Container Registry answers 403 to those that have ended.
   */
  noteRefusal(status: number, sent: string | undefined): void {
    if ((status === 401 || status === 403) && sent?.startsWith('Basic ')) this.#user?.refused?.();
  }

  /**
   * A new Authorization for a challenge, without the cache: a cached token would not show whether its user is still
   * accepted.
   * @throws UpstreamError as `authorization`
   */
  async freshAuthorization(wwwAuthenticate: string | undefined): Promise<string | undefined> {
    await this.ensureLogin();
    const chosen = this.#chooseChallenge(wwwAuthenticate);
    if (chosen?.scheme !== 'bearer') return chosen && this.basic();
    const { scope = '' } = chosen.parameters;
    return `Bearer ${(await this.#requestToken(chosen, scope === '' ? [] : [scope])).value}`;
  }

  /** Discards the token for these scopes. */
  discardToken(scopes: readonly string[]): void {
    if (this.#challenge) this.#tokens.delete(tokenKey(this.#challenge, scopes));
  }

  /** Basic credentials of the user, for APIs that take no tokens. @throws UpstreamError while there are none */
  async basic(): Promise<string | undefined> {
    await this.ensureLogin();
    return this.#user && basicOf(this.#user.login());
  }

  #chooseChallenge(wwwAuthenticate: string | undefined): Challenge | undefined {
    const chosen = usableChallenge(wwwAuthenticate);
    return chosen?.scheme === 'basic' && !this.#user ? undefined : chosen;
  }

  async #cachedOrNew(challenge: Challenge, scopes: readonly string[]): Promise<string> {
    const key = tokenKey(challenge, scopes);
    const cached = this.#tokens.get(key);
    if (cached && monotonicNow() < cached.refreshAt) return cached.value;
    const fetching = this.#pending.get(key) ?? this.#renew(key, challenge, scopes);
    if (!cached) return fetching;
    // The old token is still valid, so the request does not wait. After a failed refresh the next request tries again.
    fetching.catch(() => cached);
    return cached.value;
  }

  #renew(key: string, challenge: Challenge, scopes: readonly string[]): Promise<string> {
    const renewed = this.#requestToken(challenge, scopes)
      .then(
        (token) => {
          this.#lastTokenAt = monotonicNow();
          this.#cacheToken(key, token);
          return token.value;
        },
        (error: unknown) => {
          // The token service may have moved. A request without a token brings a new challenge, with its address.
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
      // Artifact Registry takes one scope at a time. The first scope is the repository to read or write; without the
      // others, a mount becomes an upload.
      if (scopes.length < 2 || !(error instanceof UpstreamError) || error.status !== 400) throw error;
      return this.#askTokenService(challenge, scopes.slice(0, 1));
    }
  }

  async #askTokenService(challenge: Challenge, scopes: readonly string[]): Promise<Token> {
    const rules = { upstream: this.#upstream, reach: this.#reach, key: 'realmHosts', failure: 'credentials' } as const;
    const realm = tokenServiceUrl(challenge, rules);
    for (const scope of scopes) realm.searchParams.append('scope', scope);
    try {
      return await this.#fetchToken(realm, this.#user?.login());
    } catch (error) {
      if (error instanceof UpstreamError && error.reason === 'credentials') this.#user?.refused?.();
      throw error;
    }
  }

  #cacheToken(key: string, { value, expiresIn }: Token): void {
    const ttl = Math.max(expiresIn - EXPIRY_MARGIN_SECONDS, 1) * 1000;
    this.#tokens.set(key, { value, refreshAt: monotonicNow() + ttl * REFRESH_SHARE }, { ttl });
  }
}

function tokenKey(challenge: Challenge, scopes: readonly string[]): string {
  return [challenge.parameters.realm, challenge.parameters.service, ...scopes].join(' ');
}
