import { monotonicNow } from '../../clock/clock.ts';
import { REFUSED_EVERY_MS, renewAfter, retryAfter } from '../../failover/credential-renewal.ts';
import { inBackground } from '../../http/background.ts';
import { UpstreamError } from '../upstream-error.ts';
import { withinLimit } from '../within-limit.ts';
import type { Login, OwnUser, RenewalView } from './own-user.ts';

/** What a program or a service has given. */
export interface GivenLogin extends Login {
  /** Milliseconds until it ends; undefined: unknown. */
  endsInMs?: number | undefined;
}

export interface RenewedUserOptions {
  name: string;
  /** Milliseconds between two renewals, at most. */
  everyMs: number;
  /** Gets a login. Its errors hold no secret. @throws Error that says what was expected and what to do */
  give: (signal: AbortSignal) => Promise<GivenLogin>;
  /** Called when renewals begin to fail, when the reason changes, and when one is good again (undefined). */
  onNews: (problem: string | undefined, hasLogin: boolean) => void;
  /** Milliseconds for which requests wait for the first try, at most. Default: to its end. */
  waitMs?: number | undefined;
}

/**
 * A user whose login is given by a program or a service, and renewed ahead of its end: no request waits for it. The last login stays in use
 * while renewals fail, for only the upstream can say that it is no good any more.
 */
export class RenewedUser implements OwnUser {
  readonly name: string;
  readonly tried: Promise<void>;
  readonly ready: Promise<void>;
  readonly #options: RenewedUserOptions;
  readonly #stopped = new AbortController();
  #login: Login | undefined;
  #givenAt: number | undefined;
  #problem: RenewalView['problem'];
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #running = false;

  constructor(options: RenewedUserOptions) {
    this.name = options.name;
    this.#options = options;
    this.tried = this.#renew();
    const { waitMs } = options;
    this.ready = waitMs === undefined ? this.tried : withinLimit(this.tried, waitMs).then(() => undefined);
  }

  login(): Login {
    if (this.#login) return this.#login;
    const why = this.#problem?.reason ?? 'it has not answered yet';
    throw new UpstreamError('credentials', `there are no credentials yet: ${why}`);
  }

  refused(): void {
    if (this.#running) return;
    const waitMs = Math.max(0, this.#triedAt + REFUSED_EVERY_MS - monotonicNow());
    // A renewal that comes sooner anyway stays as it is.
    if (waitMs < this.#dueInMs) this.#schedule(waitMs);
  }

  get renewal(): RenewalView {
    return { givenAt: this.#givenAt, problem: this.#problem };
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  #dueAt = Number.POSITIVE_INFINITY;

  get #dueInMs(): number {
    return this.#dueAt - monotonicNow();
  }

  /** Rejects never. */
  readonly #renew = inBackground(
    'credentials',
    async () => {
      this.#running = true;
      let waitMs: number;
      try {
        const { endsInMs, ...login } = await this.#options.give(this.#stopped.signal);
        this.#login = login;
        this.#givenAt = monotonicNow();
        waitMs = renewAfter(this.#options.everyMs, endsInMs);
        this.#note(undefined);
      } catch (error) {
        this.#failures += 1;
        waitMs = Math.min(retryAfter(this.#failures), this.#options.everyMs);
        this.#note(error instanceof Error ? error.message : String(error));
      } finally {
        this.#running = false;
        this.#triedAt = monotonicNow();
      }
      this.#schedule(waitMs);
    },
    () => this.#schedule(retryAfter(1)),
  );

  #note(problem: string | undefined): void {
    if (this.#stopped.signal.aborted) return;
    const before = this.#problem;
    if (problem === undefined) this.#failures = 0;
    this.#problem = problem === undefined ? undefined : { since: before?.since ?? monotonicNow(), reason: problem };
    if (before?.reason !== problem) this.#options.onNews(problem, this.#login !== undefined);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped.signal.aborted) return;
    this.#dueAt = monotonicNow() + ms;
    this.#timer = setTimeout(() => void this.#renew(), ms).unref();
  }
}
