import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressKey } from '../auth/caller.ts';
import { FailureLimit } from '../auth/failure-limit.ts';

/** Milliseconds before a wrong token is told to be wrong. */
const DELAY_MS = 1000;
/** Answers that are delayed at once. */
const MAX_DELAYED = 64;

export type TokenVerdict = { right: number } | 'wrong' | { waitMs: number };

/** Compares tokens, and slows down whoever guesses: ten wrong ones of an address at once, then one in six seconds. */
export class TokenGuard {
  readonly #failures: FailureLimit;
  readonly #delayMs: number;
  #delayed = 0;

  constructor(failures = new FailureLimit(), delayMs = DELAY_MS) {
    this.#failures = failures;
    this.#delayMs = delayMs;
  }

  /**
   * Which of the tokens was shown: `right` is its index. `waitMs`: nothing was compared, since this address has shown too many wrong ones.
   * @param address of the client
   */
  async check(shown: string, tokens: readonly string[], address: string): Promise<TokenVerdict> {
    const key = [addressKey(address)];
    const waitMs = this.#failures.waitMs(key);
    if (waitMs > 0) return { waitMs };
    // All of them, so that the time tells nothing of which is right.
    const equal = tokens.map((token) => timingSafeEqual(digestOf(shown), digestOf(token)));
    const right = equal.indexOf(true);
    if (right >= 0) return { right };
    // Before the delay: else as many as come at once could be tried.
    this.#failures.recordFailures(key);
    await this.#delay();
    return 'wrong';
  }

  async #delay(): Promise<void> {
    if (this.#delayed >= MAX_DELAYED) return;
    this.#delayed += 1;
    await sleep(this.#delayMs);
    this.#delayed -= 1;
  }
}

/** Of one length, whatever was shown. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
