import { monotonicNow } from '../../clock/clock.ts';
import {
  type CredentialsEvent,
  type CredentialsRefusal,
  type CredentialsState,
  currentRefusal,
  nextCredentials,
} from '../../failover/credentials.ts';
import { inBackground } from '../../http/background.ts';
import { asUpstreamError } from '../upstream-error.ts';

export interface CredentialWatchOptions {
  /** Checks the credentials at the upstream; undefined when there are none to check. @throws UpstreamError */
  check: ((signal: AbortSignal) => Promise<void>) | undefined;
  /**
   * The probe's timing in milliseconds. A check takes at most `timeout`, and is made far less often than every
   * `interval`.
   */
  timing: { timeout: number; interval: number; fastInterval: number };
  /** Milliseconds by which the upstream delays a refusal. Default: 0. */
  refusalMs?: number;
  /** See `nextCredentials`. Default: 0. */
  confirmMs?: number;
  /** Called at each denial, when a check finds the credentials refused, and when they work again (undefined). */
  onNews: (detail: string | undefined) => void;
}

/** Probe intervals between checks. Some directories lock an account after too many wrong passwords. */
const INTERVALS_IF_ACCEPTED = 15;
const INTERVALS_IF_REFUSED = 5;
/** Milliseconds for a check that no start waits for: a slow upstream is checked too. */
const LATER_CHECK_MS = 10_000;

/**
 * Watches whether an upstream accepts Breakwater's own credentials: by checks, before a client meets a refusal, and by
 * the denials that requests meet. Cached tokens would hide a revoked key, so each check asks for a new token.
 */
export class CredentialWatch {
  readonly #options: CredentialWatchOptions;
  #state: CredentialsState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #checkedAt = 0;
  readonly #startedAt = monotonicNow();
  #acceptedAt: number | undefined;
  /** Why the last check was inconclusive. */
  #unclear = 'not checked yet';
  #stopped = false;
  /** Whether the last report was a refusal. */
  #refusalReported = false;
  #checking: Promise<void> | undefined;

  constructor(options: CredentialWatchOptions) {
    this.#options = options;
  }

  /** Starts the checks. Resolves after the first one. */
  async start(): Promise<void> {
    const { timing, refusalMs = 0 } = this.#options;
    await this.#check(timing.timeout + refusalMs);
  }

  /**
   * Whether the credentials are refused altogether, as a request that was denied suggests. Checks it now, unless they were checked just
   * before: Harbor and some directories lock accounts.
   */
  async confirmRefused(): Promise<boolean> {
    const { timing, confirmMs = 0 } = this.#options;
    const isDue = monotonicNow() - this.#checkedAt >= Math.max(timing.fastInterval, confirmMs);
    if (isDue && this.refusal?.total !== true) void this.#check(LATER_CHECK_MS);
    await this.#checking;
    return this.refusal?.total === true;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** The current refusal, if any. */
  get refusal(): CredentialsRefusal | undefined {
    return currentRefusal(this.#state, monotonicNow());
  }

  /** When a check last found the credentials accepted; undefined: no check has been good yet. */
  get acceptedAt(): number | undefined {
    return this.#acceptedAt;
  }

  /** Since when, and why, it is not known whether the credentials are accepted; undefined: a check has told, or there are none. */
  get unknown(): { since: number; reason: string } | undefined {
    if (!this.#options.check || this.#acceptedAt !== undefined || this.refusal) return undefined;
    return { since: this.#startedAt, reason: this.#unclear };
  }

  /** Notes a request whose credentials were refused. */
  reportDenial(detail: string): void {
    this.#applyNews({ kind: 'denied', detail });
    this.#report(detail);
    const { interval, fastInterval } = this.#options.timing;
    const due = Math.max(monotonicNow() + fastInterval, this.#checkedAt + INTERVALS_IF_REFUSED * interval);
    if (this.#dueAt > due) this.#schedule(due - monotonicNow());
  }

  /** One check at a time. */
  #check(timeout: number): Promise<void> {
    this.#checking ??= this.#run(timeout).finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  readonly #run = inBackground(
    'credentials',
    (timeout: number) => this.#checkOnce(timeout),
    () => this.#scheduleNext(),
  );

  async #checkOnce(timeout: number): Promise<void> {
    const { check } = this.#options;
    if (!check) return;
    this.#checkedAt = monotonicNow();
    this.#dueAt = 0;
    const before = this.refusal?.total;
    try {
      await check(AbortSignal.timeout(timeout));
      this.#acceptedAt = monotonicNow();
      this.#applyNews({ kind: 'accepted' });
    } catch (error) {
      const { reason, message, status } = asUpstreamError(error);
      this.#unclear = message;
      // The probe reports all other failures.
      if (reason === 'credentials') this.#applyNews({ kind: status === 401 ? 'refused' : 'denied', detail: message });
    }
    if (this.#stopped) return;
    const after = this.refusal;
    if (after ? after.total !== before : this.#refusalReported) this.#report(after?.reason);
    this.#scheduleNext();
  }

  #scheduleNext(): void {
    const { timing, confirmMs = 0 } = this.#options;
    const { refusal } = this;
    const intervals = refusal ? INTERVALS_IF_REFUSED : INTERVALS_IF_ACCEPTED;
    const isUnconfirmed = refusal?.total !== true && this.#state?.refusedAt !== undefined;
    const usual = intervals * timing.interval * (0.9 + 0.2 * Math.random());
    this.#schedule(isUnconfirmed ? Math.max(confirmMs, timing.fastInterval) : usual);
  }

  #report(detail: string | undefined): void {
    this.#refusalReported = detail !== undefined;
    this.#options.onNews(detail);
  }

  #applyNews(news: CredentialsEvent): void {
    this.#state = nextCredentials(this.#state, news, monotonicNow(), this.#options.confirmMs);
  }

  #schedule(ms: number): void {
    const { check } = this.#options;
    clearTimeout(this.#timer);
    if (this.#stopped || !check) return;
    this.#dueAt = monotonicNow() + ms;
    this.#timer = setTimeout(() => void this.#check(LATER_CHECK_MS), ms).unref();
  }
}
