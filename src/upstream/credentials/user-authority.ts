import { isoTime, monotonicNow } from '../../clock/clock.ts';
import type { AuthorityHealth } from '../../failover/authority-evidence.ts';
import type { Failure } from '../../failover/classify.ts';
import type { ReplicaView, UpstreamView } from '../../failover/view.ts';
import type { Scope } from '../../oci/scope.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import { withinLimit } from '../within-limit.ts';
import { type Denial, DenialJudge, type Judgement } from './denial-judge.ts';
import { LoginCanary } from './login-canary.ts';
import type { LoginMethod, UserAnswer, UserTokens } from './user-tokens.ts';

export interface UserAuthorityOptions {
  /** The upstream's name. */
  name: string;
  /** Milliseconds for all requests at one URL. */
  deadline: number;
  view: () => Pick<UpstreamView, 'state' | 'since' | 'reason' | 'replicas' | 'unhealthy'>;
  tokens: (url: string) => UserTokens | undefined;
  /** Whether the upstream delays each refusal of a wrong password (`delaysRefusals`). */
  delaysRefusals: () => boolean;
  /** Waits for a slot among the requests at a URL; undefined when there is none. @returns frees the slot */
  acquireSlot: (url: string, signal: AbortSignal) => Promise<(() => void) | undefined>;
  /** Called when the canary's login is refused by a well authority (a text), and when it is accepted again (undefined). */
  onCanaryRefused?: (detail: string | undefined) => void;
}

/** A login that is known to be good. */
export interface CanaryLogin {
  username: string;
  password: string;
  /** Hosts beside the upstream's own whose token service may be given the password. */
  realmHosts: readonly string[];
  /** What the login may read, if that is known: some token services answer only questions with a scope. */
  scopes: readonly Scope[];
}

type Question<T> = (tokens: UserTokens, url: string, signal: AbortSignal) => Promise<T>;

/** Clients give up a token request after 15 s, which is too short to ask every URL. */
const MAX_URLS = 2;
/** Milliseconds between trials of an authority that does not answer. */
const TRIAL_MS = 1000;
/** Failures without an answer. */
const SILENT: ReadonlySet<Failure> = new Set(['connect', 'dns', 'tls', 'first-byte', 'reset', 'short']);

/**
 * Asks an upstream what its own users may do, at the first of its URLs that can tell. The authority has a health of its own, because the
 * storage of a registry may be down while its users can be asked: then it is asked as long as it answers.
 */
export class UserAuthority {
  readonly #options: UserAuthorityOptions;
  readonly #judge = new DenialJudge(() => this.health(), monotonicNow);
  #canary: LoginCanary | undefined;
  #canaryText = '';
  /** The last question failed so. */
  #failure: UpstreamError | undefined;
  /** Times of the last failed question, the last answer, and the last accepted login; monotonic milliseconds. */
  #failedAt = Number.NEGATIVE_INFINITY;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #acceptedAt = Number.NEGATIVE_INFINITY;
  #trialAt = Number.NEGATIVE_INFINITY;
  #trial: Promise<unknown> | undefined;

  constructor(options: UserAuthorityOptions) {
    this.#options = options;
  }

  /** Sets the login whose acceptance shows that refusals of others mean something. */
  useCanary(login: CanaryLogin | undefined): void {
    const text = JSON.stringify(login ?? null);
    if (text === this.#canaryText) return;
    this.#canaryText = text;
    this.#canary = login && this.#canaryOf(login);
    // A secret that has ended is reported now, not in an outage.
    void this.health();
  }

  /** Whether the upstream cannot tell now, as far as known without asking. */
  get unavailable(): boolean {
    const { state, since, unhealthy } = this.#options.view();
    if (this.#failure) return !(state === 'up' && since > this.#failedAt);
    return (state === 'down' && this.#answeredAt < since) || unhealthy.includes('database');
  }

  /**
   * @param basic the user's own Authorization; undefined: what clients without credentials may do
   * @param realmHosts hosts beside the upstream's own whose token service may be given `basic`
   * @throws UpstreamError when the upstream cannot tell in time
   */
  async ask(basic: string | undefined, scopes: readonly Scope[], realmHosts: readonly string[]): Promise<UserAnswer> {
    this.#failFast(realmHosts);
    const answer = await this.#askLogin(basic, scopes, realmHosts);
    // A token that is given to everybody says nothing about logins.
    const isAccepted = answer.outcome === 'granted' && basic !== undefined;
    if (isAccepted) this.#noteAcceptance();
    // An authority that refuses every login answers, and still cannot tell.
    if (isAccepted || this.#failure?.reason !== 'authority-dead') this.#noteAnswer();
    return answer;
  }

  /** Whether the upstream shows a repository to this Authorization. False if that cannot be told now. */
  async isShown(authorization: string, name: string): Promise<boolean> {
    const { view, tokens, deadline } = this.#options;
    const { state, replicas } = view();
    const url = healthiestFirst(replicas)[0]?.url;
    const asked = url === undefined ? undefined : tokens(url);
    if (state !== 'up' || url === undefined || !asked) return false;
    const signal = AbortSignal.timeout(deadline);
    const shown = asked.isShown(authorization, name, { signal, acquireSlot: () => this.#acquireSlot(url, signal) });
    return unlessAborted(signal, shown).catch(() => false);
  }

  /** What it proves that the authority denied something. */
  judge(denial: Denial): Promise<Judgement> {
    return this.#judge.judge(denial);
  }

  /** Notes that the authority granted what it denied before. */
  forget(key: string): void {
    this.#judge.forget(key);
  }

  /** What shows whether the authority's denials mean something at this moment. */
  async health(): Promise<AuthorityHealth> {
    const canary = (await this.#canary?.check()) ?? { state: 'none' };
    if (canary.state === 'failing') this.#noteFailure(this.#sickness());
    if (canary.state === 'well') this.#noteAnswer();
    const { view, delaysRefusals } = this.#options;
    return { canary, unhealthy: view().unhealthy, delaysRefusals: delaysRefusals() };
  }

  /**
   * Checks that the upstream could be asked now, without showing it any user's credentials. @throws UpstreamError as
   * `ask`
   */
  async checkReachable(realmHosts: readonly string[]): Promise<LoginMethod> {
    this.#failFast(realmHosts);
    return this.#checkReachable(realmHosts);
  }

  async #checkReachable(realmHosts: readonly string[]): Promise<LoginMethod> {
    if (this.#options.view().unhealthy.includes('database')) throw this.#sickness();
    const method = await this.#tryUrls((tokens, _, signal) => tokens.checkReachable(realmHosts, signal));
    const { canary } = await this.health();
    if (canary.state === 'failing' || canary.state === 'silent') throw this.#failure ?? this.#sickness();
    this.#noteAnswer();
    return method;
  }

  #askLogin(basic: string | undefined, scopes: readonly Scope[], realmHosts: readonly string[]): Promise<UserAnswer> {
    return this.#tryUrls((tokens, url, signal) =>
      tokens.ask({ basic, scopes, realmHosts, signal, acquireSlot: () => this.#acquireSlot(url, signal) }),
    );
  }

  async #tryUrls<T>(question: Question<T>): Promise<T> {
    const { view, tokens, deadline, name } = this.#options;
    let failure = new UpstreamError('connect', `${name} has no URL that can be asked`);
    for (const { url } of healthiestFirst(view().replicas).slice(0, MAX_URLS)) {
      const asked = tokens(url);
      if (!asked) continue;
      const control = new AbortController();
      try {
        const answer = await withinLimit(question(asked, url, control.signal), deadline);
        if (answer !== 'late') return answer;
        control.abort();
        failure = new UpstreamError('first-byte', `${name} does not answer in time`);
      } catch (error) {
        failure = asUpstreamError(error);
        // Another URL of the same registry would be over the same limit.
        if (failure.reason === 'rate-limited') break;
      }
    }
    throw this.#noteFailure(failure);
  }

  /**
   * While the upstream is down and its authority does not answer either, no client waits for it: a check in the background finds out when
   * it answers again. @throws UpstreamError the last failure
   */
  #failFast(realmHosts: readonly string[]): void {
    const { state, since, reason, unhealthy } = this.#options.view();
    const failing = this.#failure !== undefined && SILENT.has(this.#failure.reason);
    if (!failing || !(state === 'down' || unhealthy.includes('database'))) return;
    if (!this.#trial && monotonicNow() - this.#trialAt >= TRIAL_MS) {
      this.#trialAt = monotonicNow();
      this.#trial = this.#checkReachable(realmHosts)
        .catch(() => undefined)
        .finally(() => {
          this.#trial = undefined;
        });
    }
    if (state !== 'down') throw this.#sickness();
    const { name } = this.#options;
    throw new UpstreamError('connect', `${name} has been down since ${isoTime(since)} (${reason})`);
  }

  /** If the canary was refused, either the authority is well again, or the canary's secret has ended. */
  #noteAcceptance(): void {
    this.#acceptedAt = monotonicNow();
    if (this.#canary?.isRefused) void this.health();
  }

  #noteAnswer(): void {
    this.#answeredAt = monotonicNow();
    this.#failure = undefined;
  }

  #noteFailure(failure: UpstreamError): UpstreamError {
    this.#failedAt = monotonicNow();
    this.#failure = failure;
    return failure;
  }

  #sickness(): UpstreamError {
    const { name, view } = this.#options;
    const why = view().unhealthy.includes('database')
      ? `the database of ${name} is down`
      : `${name} refuses every login, the canary's too`;
    return new UpstreamError('authority-dead', why);
  }

  #canaryOf({ username, password, realmHosts, scopes }: CanaryLogin): LoginCanary {
    const basic = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const refused = `${this.#options.name} refuses the login of ${username}, the canary of its authority`;
    return new LoginCanary({
      ask: () => this.#askLogin(basic, scopes, realmHosts),
      acceptedAt: () => this.#acceptedAt,
      onRefused: (isRefused) => this.#options.onCanaryRefused?.(isRefused ? refused : undefined),
    });
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
