import {
  type CredentialsEvent,
  type CredentialsRefusal,
  type CredentialsState,
  currentRefusal,
  nextCredentials,
} from '../../failover/credentials.ts';
import { asUpstreamError } from '../upstream-error.ts';

export interface CredentialWatchOptions {
  /** Shows them to the upstream; undefined: it is shown nothing that could be checked. @throws UpstreamError */
  check: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** Of the probe: a check takes at most `timeout`, and is made far less often than each `interval`; all in milliseconds. */
  timing: { timeout: number; interval: number; fastInterval: number };
  /** Told of each denial, and once a check has found that they are refused, or work again (undefined). */
  onNews: (detail: string | undefined) => void;
}

/** In intervals of the probe: a wrong password that is shown too often locks accounts in some directories. */
const INTERVALS_IF_ACCEPTED = 15;
const INTERVALS_IF_REFUSED = 5;

/**
 * Whether what the edge itself shows an upstream is taken there: by looking, before a client meets it, and by what requests met.
 * Tokens that are kept would hide a key that was revoked, so that a check makes a new one.
 */
export class CredentialWatch {
  readonly #options: CredentialWatchOptions;
  #state: CredentialsState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #checkedAt = 0;
  #stopped = false;
  /** Somebody was told that they are refused, and not yet that they work again. */
  #refusalReported = false;

  constructor(options: CredentialWatchOptions) {
    this.#options = options;
  }

  /** Begins. Resolves after the first check. */
  async start(): Promise<void> {
    if (this.#options.check) await this.#check(this.#options.check);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** What is wrong with them now. */
  get refusal(): CredentialsRefusal | undefined {
    return currentRefusal(this.#state, Date.now());
  }

  /** A request met that they are refused. */
  reportDenial(detail: string): void {
    this.#applyNews({ kind: 'denied', detail });
    this.#report(detail);
    const { interval, fastInterval } = this.#options.timing;
    const due = Math.max(Date.now() + fastInterval, this.#checkedAt + INTERVALS_IF_REFUSED * interval);
    if (this.#dueAt > due) this.#schedule(due - Date.now());
  }

  async #check(check: NonNullable<CredentialWatchOptions['check']>): Promise<void> {
    const { timing } = this.#options;
    this.#checkedAt = Date.now();
    this.#dueAt = 0;
    const before = this.refusal?.total;
    try {
      await check(AbortSignal.timeout(timing.timeout));
      this.#applyNews({ kind: 'accepted' });
    } catch (error) {
      const { reason, message, status } = asUpstreamError(error);
      // Any other trouble is the probe's to tell.
      if (reason === 'credentials') this.#applyNews({ kind: status === 401 ? 'refused' : 'denied', detail: message });
    }
    if (this.#stopped) return;
    const after = this.refusal;
    if (after ? after.total !== before : this.#refusalReported) this.#report(after?.reason);
    this.#schedule(
      (after ? INTERVALS_IF_REFUSED : INTERVALS_IF_ACCEPTED) * timing.interval * (0.9 + 0.2 * Math.random()),
    );
  }

  #report(detail: string | undefined): void {
    this.#refusalReported = detail !== undefined;
    this.#options.onNews(detail);
  }

  #applyNews(news: CredentialsEvent): void {
    this.#state = nextCredentials(this.#state, news, Date.now());
  }

  #schedule(ms: number): void {
    const { check } = this.#options;
    clearTimeout(this.#timer);
    if (this.#stopped || !check) return;
    this.#dueAt = Date.now() + ms;
    this.#timer = setTimeout(() => void this.#check(check), ms).unref();
  }
}
