import { hash } from 'node:crypto';
import { addressKey, type Caller, pairKey, userKey } from './caller.ts';
import type { FailureLimit } from './failure-limit.ts';
import type { TokenGrant, TokenRefusal } from './tokens.ts';

export interface Login {
  user: string;
  password: string;
}

/** Users who are asked about for the first time at once. */
const MAX_FIRST = 256;
const BUSY_MS = 1000;

/** Lets logins be asked about elsewhere: herds one after the other, and who guesses ever more slowly. */
export class LoginGate {
  readonly #failures: FailureLimit;
  /** Users whose password is asked about for the first time. */
  readonly #first = new Map<string, Promise<unknown>>();

  constructor(failures: FailureLimit) {
    this.#failures = failures;
  }

  /** @param known whether this password was right before. @param decide asks about it */
  async pass(
    login: Login,
    { address: from }: Caller,
    known: () => boolean,
    decide: () => Promise<TokenGrant | TokenRefusal>,
  ): Promise<TokenGrant | TokenRefusal> {
    const failures = this.#failures;
    const mark = hash('sha256', JSON.stringify(login), 'base64');
    // A herd that comes with one password for the first time is let in after the first of it.
    for (let first = this.#first.get(mark); first; first = this.#first.get(mark)) await first.catch(() => undefined);
    const [address, user, pair] = [addressKey(from), userKey(login.user), pairKey(from, login.user)];
    const held = failures.wait([pair]);
    if (held > 0) return { refused: 'wait', waitMs: held };
    if (known()) return decide();
    const waitMs = failures.wait([address, user]);
    if (waitMs > 0) failures.failed([pair]);
    if (waitMs > 0) return { refused: 'wait', waitMs };
    if (this.#first.size >= MAX_FIRST) return { refused: 'wait', waitMs: BUSY_MS };
    // In advance: else as many as come at once could be tried.
    failures.failed([user]);
    const decision = decide();
    this.#first.set(mark, decision);
    const decided = await decision.finally(() => this.#first.delete(mark));
    if (!('refused' in decided)) failures.forgive([user]);
    // What nobody can say may be a guess, but an outage must not shut out all who share the address.
    else failures.failed(decided.refused === 'credentials' ? [address, pair] : [pair]);
    return decided;
  }
}
