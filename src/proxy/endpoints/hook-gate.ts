import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { addressKey } from '../../auth/caller.ts';
import type { FailureLimit } from '../../auth/failure-limit.ts';
import { OciError } from '../../oci/error.ts';
import type { Hint } from '../../replication/hint.ts';
import type { HookSender } from '../request/paths.ts';

/** What hooks need. */
export interface Hooks {
  gate: HookGate;
  /** Each reads what its sender sends. @throws OciError */
  readers: Record<HookSender, (text: string) => Hint[]>;
}

/** Admits hooks that know the secret, and slows down guessing. */
export class HookGate {
  /** The compared values have one length, so that the time of a comparison tells nothing. */
  readonly #key = randomBytes(32);
  readonly #secret: Buffer;
  readonly #failures: FailureLimit;

  constructor(secret: string, failures: FailureLimit) {
    this.#secret = this.#mark(secret);
    this.#failures = failures;
  }

  /** @param client its address. @throws OciError UNAUTHORIZED, TOOMANYREQUESTS */
  admit(authorization: string | undefined, client: string): void {
    // Counted apart from logins: users who share an address with a wrongly configured registry can still log in.
    const keys = [`h ${addressKey(client)}`];
    const waitMs = this.#failures.waitMs(keys);
    if (waitMs > 0)
      throw new OciError('TOOMANYREQUESTS', 'too many hooks with a wrong secret', {
        retryAfter: Math.ceil(waitMs / 1000),
      });
    const shown = secretsIn(authorization ?? '').map((one) => timingSafeEqual(this.#mark(one), this.#secret));
    if (shown.includes(true)) return;
    this.#failures.recordFailures(keys);
    throw new OciError('UNAUTHORIZED', undefined, { headers: { 'www-authenticate': 'Bearer' } });
  }

  #mark(secret: string): Buffer {
    return createHmac('sha256', this.#key).update(secret).digest();
  }
}

/** Harbor sends the header as it was typed in; others put a scheme before it, or make a password of it. */
function secretsIn(header: string): string[] {
  const bearer = /^Bearer +(.+)$/i.exec(header)?.[1];
  const basic = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header)?.[1];
  const password =
    basic === undefined ? undefined : /:(.*)$/s.exec(Buffer.from(basic, 'base64').toString('latin1'))?.[1];
  return [header, bearer ?? [], password ?? []].flat();
}
