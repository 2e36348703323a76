import { hash } from 'node:crypto';
import { addressKey, type Caller, pairKey, userKey } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { TokenGrant, TokenRefusal } from './tokens.ts';

export interface Login {
  user: string;
  password: string;
}

/** Passwords that are found out about for the first time at once. */
const MAX_FIRST = 64;
const BUSY_MS = 1000;

/** Lets logins be decided: a herd with one password as one, and who guesses ever more slowly. */
export class LoginGate {
  readonly #failures: FailureLimit;
  /** Logins that are decided for the first time, each with its refusal if it comes to one. */
  readonly #first = new Map<string, Promise<TokenRefusal | undefined>>();

  constructor(failures: FailureLimit) {
    this.#failures = failures;
  }

  /** @param known whether this password was right before. @param decide what such a login gets */
  async pass(
    login: Login,
    { address: from }: Caller,
    known: () => boolean,
    decide: () => Promise<TokenGrant | TokenRefusal>,
  ): Promise<TokenGrant | TokenRefusal> {
    const failures = this.#failures;
    const [address, user, pair] = [addressKey(from), userKey(login.user), pairKey(from, login.user)];
    // What is known could be guessed at like anything else: who tried this name too often from there waits in any case.
    const held = failures.wait([pair]);
    if (held > 0) return { refused: 'wait', waitMs: held };
    if (known()) return decide();
    const mark = hash('sha256', JSON.stringify([login.user, login.password]), 'base64');
    const pending = this.#first.get(mark);
    // A herd with one password asks once, and counts once; each is then given what it asked for.
    if (pending) return (await pending) ?? decide();
    const waitMs = failures.wait([address, user]);
    if (waitMs > 0) {
      // It was held against what is known all the same: whoever guesses on is soon not listened to.
      failures.failed([pair]);
      return { refused: 'wait', waitMs };
    }
    if (this.#first.size >= MAX_FIRST) return { refused: 'wait', waitMs: BUSY_MS };
    // In advance: else as many as come at once could be tried.
    failures.failed([user]);
    const decision = decide();
    const refusal = decision.then((decided) => ('refused' in decided ? decided : undefined));
    this.#first.set(mark, refusal);
    const refused = await refusal.finally(() => this.#first.delete(mark));
    if (!refused) failures.forgive([user]);
    // What nobody can say may be a guess, but an outage must not shut out all who share the address.
    else failures.failed(refused.refused === 'credentials' ? [address, pair] : [pair]);
    return decision;
  }
}
