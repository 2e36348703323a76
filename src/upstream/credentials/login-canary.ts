import { monotonicNow } from '../../clock/clock.ts';
import { type AuthorityCanary, isUnchecked } from '../../failover/authority-evidence.ts';
import type { UserAnswer } from './user-tokens.ts';

export interface LoginCanaryOptions {
  /** Asks the authority about the canary's login. @throws an error when the authority cannot tell */
  ask: () => Promise<UserAnswer>;
  /** When the authority last accepted the login of a user; monotonic milliseconds. After a refusal, the canary is asked again then. */
  acceptedAt: () => number;
  /** Called when the login turns out to be refused by a well authority (true), and when it is accepted again. */
  onRefused: (refused: boolean) => void;
}

/**
 * A login that is known to be good. Whether the authority accepts it shows whether its refusals of others mean something. Its own
 * secret can end: then a well authority refuses it, and it tells nothing.
 */
export class LoginCanary {
  readonly #options: LoginCanaryOptions;
  #running: Promise<AuthorityCanary> | undefined;
  #next: Promise<AuthorityCanary> | undefined;
  /** When the refusals began; undefined: it was accepted last. */
  #refusedSince: number | undefined;
  #reported = false;

  constructor(options: LoginCanaryOptions) {
    this.#options = options;
  }

  /** The last answer was a refusal. */
  get isRefused(): boolean {
    return this.#refusedSince !== undefined;
  }

  /** The answer to a login that begins after this call. Concurrent callers share one. */
  check(): Promise<AuthorityCanary> {
    if (this.#next) return this.#next;
    if (!this.#running) return this.#start();
    this.#next = this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  #start(): Promise<AuthorityCanary> {
    const running = this.#ask().finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    this.#running = running;
    return running;
  }

  async #ask(): Promise<AuthorityCanary> {
    const askedAt = monotonicNow();
    const answer = await this.#options.ask().catch(() => undefined);
    if (!answer) return { state: 'silent' };
    if (answer.outcome === 'granted') {
      this.#refusedSince = undefined;
      this.#report(false);
      return { state: 'well', tookMs: monotonicNow() - askedAt };
    }
    this.#refusedSince ??= askedAt;
    // Users are accepted, or the password was checked, and checking takes its time: the canary's own secret is wrong.
    const checked = answer.tookMs !== undefined && !isUnchecked(answer.tookMs);
    // Once that is known, a refusal at once says nothing new: the check has locked the name.
    const ended = this.#reported || checked || this.#options.acceptedAt() > this.#refusedSince;
    if (ended) this.#report(true);
    return { state: ended ? 'none' : 'failing' };
  }

  #report(refused: boolean): void {
    if (refused !== this.#reported) this.#options.onRefused(refused);
    this.#reported = refused;
  }
}
