import { monotonicNow } from '../../clock/clock.ts';
import type { CredentialRole, CredentialsRefusal } from '../../failover/credentials.ts';
import type { AccountView } from '../../failover/view.ts';
import { asUpstreamError, UpstreamError } from '../upstream-error.ts';
import { CredentialWatch } from './credential-watch.ts';
import type { Expiry } from './harbor-account.ts';
import type { RenewalView } from './own-user.ts';

export interface OwnAccountOptions {
  role: CredentialRole;
  /** Undefined: the edge shows no credentials, and single requests may still be denied. */
  username: string | undefined;
  /** Checks the credentials, and then tells when they end. @throws UpstreamError */
  check: ((signal: AbortSignal) => Promise<void>) | undefined;
  readExpiry: (signal: AbortSignal) => Promise<Expiry>;
  /** What is known of the renewal of the credentials. Default: they are never renewed. */
  renewal?: () => RenewalView | undefined;
  /** As for `CredentialWatch`. */
  timing: { timeout: number; interval: number; fastInterval: number };
  /** As for `CredentialWatch`. */
  refusalMs: number;
  /** One refusal may be a mistake of the moment: a second one, so many milliseconds later, decides. 0: the first one does. */
  confirmMs: number;
  /** As for `CredentialWatch`. */
  onNews: (detail: string | undefined) => void;
  onExpiry: (at: Expiry) => void;
}

/** Milliseconds after which the end of the credentials is asked for again. */
const EXPIRY_EVERY_MS = 3_600_000;

/** An account of the edge's own at an upstream: whether the upstream accepts it, and when it ends. */
export class OwnAccount {
  readonly role: CredentialRole;
  readonly username: string | undefined;
  readonly #options: OwnAccountOptions;
  readonly #watch: CredentialWatch;
  #expires: Expiry;
  #expiryReadAt = Number.NEGATIVE_INFINITY;

  constructor(options: OwnAccountOptions) {
    this.#options = options;
    this.role = options.role;
    this.username = options.username;
    const { check, timing, refusalMs, confirmMs, onNews } = options;
    this.#watch = new CredentialWatch({
      check: check && ((signal) => this.#check(check, signal)),
      timing,
      refusalMs,
      confirmMs,
      onNews,
    });
  }

  /** Resolves after the first check. */
  start(): Promise<void> {
    return this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }

  get refusal(): CredentialsRefusal | undefined {
    return this.#watch.refusal;
  }

  /** See `CredentialWatch`. */
  get acceptedAt(): number | undefined {
    return this.#watch.acceptedAt;
  }

  /** See `CredentialWatch`. */
  get unknown(): { since: number; reason: string } | undefined {
    return this.#watch.unknown;
  }

  /** Undefined where there are no credentials. */
  get view(): AccountView | undefined {
    const { role, username, refusal, unknown } = this;
    const renewal = this.#options.renewal?.();
    return username === undefined ? undefined : { role, username, refusal, unknown, renewal, expires: this.#expires };
  }

  /** A program or a service should give a login, and has given none. */
  get #isWithoutLogin(): boolean {
    const renewal = this.#options.renewal?.();
    return renewal !== undefined && renewal.givenAt === undefined;
  }

  reportDenial(detail: string): void {
    if (!this.#isWithoutLogin) this.#watch.reportDenial(detail);
  }

  /** Whether the upstream refuses the credentials altogether. Checks it, unless a check was made just now. */
  confirmRefused(): Promise<boolean> {
    return this.#watch.confirmRefused();
  }

  async #check(check: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    await check(signal).catch((error: unknown) => {
      // The upstream has refused nothing.
      if (this.#isWithoutLogin) throw new UpstreamError('authority-dead', asUpstreamError(error).message);
      throw error;
    });
    if (monotonicNow() - this.#expiryReadAt < EXPIRY_EVERY_MS) return;
    const expires = await this.#options.readExpiry(signal).catch(() => 'failed' as const);
    if (expires === 'failed') return;
    this.#expiryReadAt = monotonicNow();
    this.#expires = expires;
    this.#options.onExpiry(expires);
  }
}
