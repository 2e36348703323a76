import { hash } from 'node:crypto';
import { addressKey, type Caller, pairKey, userKey } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { TokenGrant, TokenRefusal } from './token-issuer.ts';

export interface Login {
  user: string;
  password: string;
}

/** Concurrent logins with passwords that were not verified before. */
const MAX_PENDING = 64;
const BUSY_MS = 1000;

/** Decides concurrent logins with the same password once, and slows down guessing. */
export class LoginThrottle {
  readonly #failures: FailureLimit;
  /** Undecided logins, each with its refusal if it is refused. */
  readonly #pending = new Map<string, Promise<TokenRefusal | undefined>>();

  constructor(failures: FailureLimit) {
    this.#failures = failures;
  }

  /**
   * @param isKnown whether this password was right before
   * @param decide decides one login
   */
  async attempt(
    login: Login,
    { address: from }: Caller,
    isKnown: () => boolean,
    decide: () => Promise<TokenGrant | TokenRefusal>,
  ): Promise<TokenGrant | TokenRefusal> {
    const failures = this.#failures;
    const [address, user, pair] = [addressKey(from), userKey(login.user), pairKey(from, login.user)];
    // A known password could be guessed too, so a pair of address and user with too many failures always waits.
    const held = failures.waitMs([pair]);
    if (held > 0) return { refused: 'wait', waitMs: held };
    if (isKnown()) return decide();
    const mark = hash('sha256', JSON.stringify([login.user, login.password]), 'base64');
    const pending = this.#pending.get(mark);
    // Concurrent logins with one password are checked and counted once; each then gets its own token.
    if (pending) return (await pending) ?? decide();
    const waitMs = failures.waitMs([address, user]);
    if (waitMs > 0) {
      // A refused attempt counts against the pair, so that continued guessing is soon refused for the pair alone.
      failures.recordFailures([pair]);
      return { refused: 'wait', waitMs };
    }
    if (this.#pending.size >= MAX_PENDING) return { refused: 'wait', waitMs: BUSY_MS };
    // The failure is counted in advance: otherwise any number of concurrent guesses would pass.
    failures.recordFailures([user]);
    const decision = decide();
    const refusal = decision.then((decided) => ('refused' in decided ? decided : undefined));
    this.#pending.set(mark, refusal);
    const refused = await refusal.finally(() => this.#pending.delete(mark));
    if (!refused) failures.forgive([user]);
    // An undecided login may be a guess, but an outage must not shut out all clients of one address.
    else failures.recordFailures(refused.refused === 'credentials' ? [address, pair] : [pair]);
    return decision;
  }
}
