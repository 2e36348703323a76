import { hash } from 'node:crypto';
import { addressKey, type Caller, pairKey, userKey } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { TokenGrant, TokenRefusal } from './token-issuer.ts';

export interface Login {
  user: string;
  password: string;
}

/** Passwords that are found out about for the first time at once. */
const MAX_PENDING = 64;
const BUSY_MS = 1000;

/** Lets logins be decided: a herd with one password as one, and who guesses ever more slowly. */
export class LoginThrottle {
  readonly #failures: FailureLimit;
  /** Logins that are decided for the first time, each with its refusal if it comes to one. */
  readonly #pending = new Map<string, Promise<TokenRefusal | undefined>>();

  constructor(failures: FailureLimit) {
    this.#failures = failures;
  }

  /** @param isKnown whether this password was right before. @param decide what such a login gets */
  async attempt(
    login: Login,
    { address: from }: Caller,
    isKnown: () => boolean,
    decide: () => Promise<TokenGrant | TokenRefusal>,
  ): Promise<TokenGrant | TokenRefusal> {
    const failures = this.#failures;
    const [address, user, pair] = [addressKey(from), userKey(login.user), pairKey(from, login.user)];
    // What is known could be guessed at like anything else: who tried this name too often from there waits in any case.
    const held = failures.waitMs([pair]);
    if (held > 0) return { refused: 'wait', waitMs: held };
    if (isKnown()) return decide();
    const mark = hash('sha256', JSON.stringify([login.user, login.password]), 'base64');
    const pending = this.#pending.get(mark);
    // A herd with one password asks once, and counts once; each is then given what it asked for.
    if (pending) return (await pending) ?? decide();
    const waitMs = failures.waitMs([address, user]);
    if (waitMs > 0) {
      // It was held against what is known all the same: whoever guesses on is soon not listened to.
      failures.recordFailures([pair]);
      return { refused: 'wait', waitMs };
    }
    if (this.#pending.size >= MAX_PENDING) return { refused: 'wait', waitMs: BUSY_MS };
    // In advance: else as many as come at once could be tried.
    failures.recordFailures([user]);
    const decision = decide();
    const refusal = decision.then((decided) => ('refused' in decided ? decided : undefined));
    this.#pending.set(mark, refusal);
    const refused = await refusal.finally(() => this.#pending.delete(mark));
    if (!refused) failures.forgive([user]);
    // What nobody can say may be a guess, but an outage must not shut out all who share the address.
    else failures.recordFailures(refused.refused === 'credentials' ? [address, pair] : [pair]);
    return decision;
  }
}
