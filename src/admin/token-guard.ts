import { hash, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { addressKey } from '../auth/caller.ts';
import { FailureLimit } from '../auth/failure-limit.ts';

/** Milliseconds before a wrong token is told to be wrong. */
const DELAY_MS = 1000;
/** Answers that are delayed at the same time. Beyond them a wrong token is refused at once; the limit of its address still holds. */
const MAX_DELAYED = 64;
const MAX_SEEN = 1024;

/** Compares tokens and slows down guessing: an address may show ten wrong tokens at once, then one every six seconds. */
export class TokenGuard {
  readonly #failures: FailureLimit;
  /** Wrong tokens that were shown lately. A program with an old token shows the same one again and again, and does not guess. */
  readonly #seen = new LRUCache<string, true>({ maxSize: MAX_SEEN, sizeCalculation: () => 1 });
  readonly #delayMs: number;
  #delayed = 0;

  constructor(failures = new FailureLimit(), delayMs = DELAY_MS) {
    this.#failures = failures;
    this.#delayMs = delayMs;
  }

  /**
   * @param address of the client
   * @returns the token that was shown; undefined: none of them was; `waitMs`: this address has shown too many wrong ones, so nothing was
   * compared
   */
  async check(
    shown: string,
    tokens: readonly string[],
    address: string,
  ): Promise<string | undefined | { waitMs: number }> {
    const key = [addressKey(address)];
    const waitMs = this.#failures.waitMs(key);
    if (waitMs > 0) return { waitMs };
    // All tokens are compared, so that the time does not reveal which one is right.
    const [right] = tokens.filter((token) => timingSafeEqual(tokenHash(shown), tokenHash(token)));
    if (right !== undefined) return right;
    // The failure counts before the delay: otherwise parallel requests could try more tokens.
    const mark = tokenHash(`${key[0]} ${shown}`).toString('base64');
    if (!this.#seen.has(mark)) this.#failures.recordFailures(key);
    this.#seen.set(mark, true);
    await this.#delay();
    return undefined;
  }

  async #delay(): Promise<void> {
    if (this.#delayed >= MAX_DELAYED) return;
    this.#delayed += 1;
    await sleep(this.#delayMs);
    this.#delayed -= 1;
  }
}

/** Of one length, whatever was shown. */
function tokenHash(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
