import { isoTime, monotonicNow } from '../../clock/clock.ts';
import type { ReplicaView, UpstreamView } from '../../failover/view.ts';
import type { Scope } from '../../oci/scope.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import type { LoginMethod, UserAnswer, UserTokens } from './user-tokens.ts';

export interface UserAuthorityOptions {
  /** The upstream's name. */
  name: string;
  /** Milliseconds for each URL. */
  deadline: number;
  view: () => Pick<UpstreamView, 'state' | 'since' | 'reason' | 'replicas' | 'unhealthy'>;
  tokens: (url: string) => UserTokens | undefined;
  /** Waits for a slot among the requests at a URL; undefined when there is none. @returns frees the slot */
  acquireSlot: (url: string, signal: AbortSignal) => Promise<(() => void) | undefined>;
}

/** Clients give up a token request after 15 s, which is too short to ask every URL. */
const MAX_URLS = 2;

/** Asks an upstream what its own users may do, at the first of its URLs that can tell. */
export class UserAuthority {
  readonly #options: UserAuthorityOptions;
  /** Time of the last failed question, if the last question failed; monotonic milliseconds. */
  #failedAt: number | undefined;

  constructor(options: UserAuthorityOptions) {
    this.#options = options;
  }

  /** Whether the upstream cannot tell now, as far as known without asking. */
  get unavailable(): boolean {
    if (this.#knownFailure()) return true;
    // A failure before the last change of state no longer counts.
    return this.#failedAt !== undefined && this.#failedAt >= this.#options.view().since;
  }

  /**
   * @param basic the user's own Authorization
   * @param realmHosts hosts beside the upstream's own whose token service may be given `basic`
   * @throws UpstreamError when the upstream is down, or cannot tell within its deadline for manifests
   */
  ask(basic: string, scopes: readonly Scope[], realmHosts: readonly string[]): Promise<UserAnswer> {
    return this.#tryUrls((tokens, url, signal) =>
      tokens.ask({ basic, scopes, realmHosts, signal, acquireSlot: () => this.#acquireSlot(url, signal) }),
    );
  }

  /**
   * Checks that the upstream could be asked now, without showing it any user's credentials. @throws UpstreamError as
   * `ask`
   */
  checkReachable(realmHosts: readonly string[]): Promise<LoginMethod> {
    return this.#tryUrls((tokens, _, signal) => tokens.checkReachable(realmHosts, signal));
  }

  async #tryUrls<T>(question: (tokens: UserTokens, url: string, signal: AbortSignal) => Promise<T>): Promise<T> {
    const trouble = this.#knownFailure();
    if (trouble) throw trouble;
    const { view, tokens, deadline, name } = this.#options;
    let failure = new UpstreamError('connect', `${name} has no URL that can be asked`);
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
        // Another URL of the same registry would be over the same limit.
        if (failure.reason === 'rate-limited') break;
      }
    }
    this.#failedAt = monotonicNow();
    throw failure;
  }

  #knownFailure(): UpstreamError | undefined {
    const { name, view } = this.#options;
    const { state, since, reason, unhealthy } = view();
    if (state === 'down') {
      return new UpstreamError('connect', `${name} has been down since ${isoTime(since)} (${reason})`);
    }
    if (unhealthy.includes('database')) return new UpstreamError('authority-dead', `the database of ${name} is down`);
    return undefined;
  }

  async #acquireSlot(url: string, signal: AbortSignal): Promise<() => void> {
    const releaseSlot = await this.#options.acquireSlot(url, signal);
    if (!releaseSlot) throw new UpstreamError('saturated', `too many requests are under way at ${this.#options.name}`);
    return releaseSlot;
  }
}

/** Healthy URLs first, and among them those that are not suspected. */
function healthiestFirst(replicas: readonly ReplicaView[]): ReplicaView[] {
  const rank = ({ state, suspected }: ReplicaView) => (state === 'up' ? (suspected ? 1 : 0) : 2);
  return replicas.toSorted((a, b) => rank(a) - rank(b));
}
