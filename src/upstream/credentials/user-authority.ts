import type { ReplicaView, UpstreamView } from '../../failover/view.ts';
import type { Scope } from '../../oci/scope.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import type { LoginMethod, UserAnswer, UserTokens } from './user-tokens.ts';

export interface UserAuthorityOptions {
  /** Of the upstream. */
  name: string;
  /** Milliseconds for each URL that is asked. */
  deadline: number;
  view: () => Pick<UpstreamView, 'state' | 'since' | 'reason' | 'replicas' | 'unhealthy'>;
  tokens: (url: string) => UserTokens | undefined;
  /** Waits for a place among the requests under way at a URL; undefined: there is none to be had. @returns gives it back */
  acquireSlot: (url: string, signal: AbortSignal) => Promise<(() => void) | undefined>;
}

/** Clients give a token request up after 15 s: a second URL is asked, not each. */
const MAX_URLS = 2;

/** An upstream as the one who says what its own users may do, at the first of its URLs that can. */
export class UserAuthority {
  readonly #options: UserAuthorityOptions;
  /** When it could not say anything, if it could not when it was last asked; epoch milliseconds. */
  #failedAt: number | undefined;

  constructor(options: UserAuthorityOptions) {
    this.#options = options;
  }

  /** Whether it cannot say anything now, as far as is known without asking. */
  get unavailable(): boolean {
    if (this.#knownFailure()) return true;
    // Once it has come up since, what it could not say before is of no account.
    return this.#failedAt !== undefined && this.#failedAt >= this.#options.view().since;
  }

  /**
   * @param basic the user's own Authorization
   * @param realmHosts further hosts whose token service may be given it
   * @throws UpstreamError if it is down, or cannot say within its deadline for manifests
   */
  ask(basic: string, scopes: readonly Scope[], realmHosts: readonly string[]): Promise<UserAnswer> {
    return this.#tryUrls((tokens, url, signal) =>
      tokens.ask({ basic, scopes, realmHosts, signal, acquireSlot: () => this.#acquireSlot(url, signal) }),
    );
  }

  /** Whether it could be asked now; it is shown nothing of anybody's. @throws UpstreamError as `ask` */
  checkReachable(realmHosts: readonly string[]): Promise<LoginMethod> {
    return this.#tryUrls((tokens, _, signal) => tokens.checkReachable(realmHosts, signal));
  }

  async #tryUrls<T>(question: (tokens: UserTokens, url: string, signal: AbortSignal) => Promise<T>): Promise<T> {
    const trouble = this.#knownFailure();
    if (trouble) throw trouble;
    const { view, tokens, deadline, name } = this.#options;
    let failure = new UpstreamError('connect', `${name} has no URL that could be asked`);
    for (const { url } of healthiestFirst(view().replicas).slice(0, MAX_URLS)) {
      const asked = tokens(url);
      if (!asked) continue;
      const signal = AbortSignal.timeout(deadline);
      try {
        const answer = await unlessAborted(signal, question(asked, url, signal));
        this.#failedAt = undefined;
        return answer;
      } catch (error) {
        failure = signal.aborted
          ? new UpstreamError('first-byte', `${name} does not answer in time`)
          : asUpstreamError(error);
        // Another URL of the same registry would only be asked too much as well.
        if (failure.reason === 'rate-limited') break;
      }
    }
    this.#failedAt = Date.now();
    throw failure;
  }

  #knownFailure(): UpstreamError | undefined {
    const { name, view } = this.#options;
    const { state, reason, unhealthy } = view();
    if (state === 'down') return new UpstreamError('connect', `${name} is down: ${reason}`);
    if (unhealthy.includes('database')) return new UpstreamError('authority-dead', `the database of ${name} is down`);
    return undefined;
  }

  async #acquireSlot(url: string, signal: AbortSignal): Promise<() => void> {
    const releaseSlot = await this.#options.acquireSlot(url, signal);
    if (!releaseSlot) throw new UpstreamError('saturated', `too many requests are under way at ${this.#options.name}`);
    return releaseSlot;
  }
}

/** Those that are well first; of them, those that traffic had no trouble with. */
function healthiestFirst(replicas: readonly ReplicaView[]): ReplicaView[] {
  const rank = ({ state, suspected }: ReplicaView) => (state === 'up' ? (suspected ? 1 : 0) : 2);
  return replicas.toSorted((a, b) => rank(a) - rank(b));
}
